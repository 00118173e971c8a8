/** As the manifest has it: a bundle has no manifest beside it. A test compares the two. */
export const VERSION = "0.1.0";
