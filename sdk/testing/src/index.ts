export type { Fault, FaultOptions, Faults } from "./faults.js";
export { type MockContext, mock, type TaskAttempt, type TaskMock } from "./mock.js";
export type { RecordedRun } from "./recorded-run.js";
export { type Replayed, replayHistory } from "./replay-history.js";
export type { TestRun } from "./run.js";
export { type TestAiki, type TestAikiOptions, testAiki, type Within } from "./test-aiki.js";
