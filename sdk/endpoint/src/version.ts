/** The version of the SDK, as `package.json` has it; a test compares the two. */
export const SDK_VERSION = "0.1.0";
