/** The files that take longest are begun first, so that at the end no core waits for one of them. */
import { BaseSequencer, type TestSpecification } from "vitest/node";

const LONG = [
  "server/test/simulation.test.ts",
  "sdk/cli/test/dev.test.ts",
  "server/test/programs/memory-1.test.ts",
  "server/test/programs/memory-2.test.ts",
  "adapters/next/test/next.test.ts",
  "server/test/shell/embedded-postgres.test.ts",
  "test/workers/workers.test.ts",
  "test/chaos/kill.test.ts",
  "test/dashboard/pages.test.ts",
  "test/dashboard/actions.test.ts",
  "test/chaos/database-outage.test.ts",
  "test/demo/demo.test.ts",
  "test/workers/storm.test.ts",
];

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const at = LONG.findIndex((path) => moduleId.endsWith(`/${path}`));
      return at === -1 ? LONG.length : at;
    };
    return (await super.sort(files)).sort((a, b) => place(a) - place(b));
  }
}
