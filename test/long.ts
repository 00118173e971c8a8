/** Whether the tests that take many minutes run too: `npm run test:all` sets it. The only place that reads it. */
export const longTests = process.env["LONG_TESTS"] === "1";
