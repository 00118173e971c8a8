import type { ExecuteAnswer, HistoryRecord } from "@aikirun/protocol";
import { event, task, workflow } from "@aikirun/workflow";
import { beforeAll, describe, expect, it } from "vitest";
import { type EndpointOptions, endpoint } from "../src/index.js";
import { type Answer, executePush, type SigningKey, signedPush, signingKey } from "./orchestrator.js";
import { silent } from "./probes.js";

const URL_ = "http://app.test/api/aiki";
let key: SigningKey;
let ran: string[] = [];
beforeAll(async () => {
  key = await signingKey("Ed25519");
});

const step = task({
  name: "step",
  async handler(name: string) {
    ran.push(name);
    return `did ${name}`;
  },
});
const hang = task({ name: "hang", handler: () => new Promise<void>(() => {}) });
const hasty = task({
  name: "hasty",
  async handler(_input: undefined, { signal }) {
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    ran.push("aborted");
  },
});

const steps = workflow({ name: "steps" }).v("1", {
  async handler(run, names: string[]) {
    const done: string[] = [];
    for (const name of names) done.push(await step.start(run, name));
    return done;
  },
});
const waits = workflow({ name: "waits" }).v("1", {
  async handler(run) {
    return (await run.events.go.wait()).data;
  },
  events: { go: event<string>() },
});
const throws = workflow({ name: "throws" }).v("1", {
  handler() {
    throw new TypeError("thrown by the user");
  },
});
const rejectsOddly = workflow({ name: "rejects-oddly" }).v("1", {
  // Not even an Error.
  handler: () => Promise.reject({ toString: null }),
});
const late = workflow({ name: "late" }).v("1", {
  handler: async (run) => void (await Promise.all([hang.start(run), hasty.start(run)])),
});

function served(options: EndpointOptions = {}) {
  ran = [];
  const handle = endpoint({
    workflows: [steps, waits, throws, rejectsOddly, late],
    publicKeys: key.text,
    logger: silent,
    ...options,
  });
  return async (workflowName: string, push: Record<string, unknown> = {}, run: Record<string, unknown> = {}) => {
    const made = executePush(push, { workflow: workflowName, version: "1", ...run });
    const { headers, body } = await signedPush(key, URL_, made);
    const response = await handle(
      new Request(URL_, { method: "POST", headers: { ...headers, host: "app.test" }, body: body as string }),
    );
    const json = (await response.json()) as Answer & Partial<ExecuteAnswer>;
    return { status: response.status, json, run: made.run as { id: string } };
  };
}

/** What an orchestrator records of an answer. */
function recorded(commands: ExecuteAnswer["commands"] | undefined, from: number): HistoryRecord[] {
  return (commands ?? []).flatMap((command, i) =>
    command.type === "task.completed"
      ? [
          {
            n: from + i,
            kind: "task",
            key: command.key,
            value: { state: "completed", attempts: 1, output: command.output ?? null },
          },
        ]
      : [],
  );
}

describe("execute", () => {
  it("goes on from a cursor while the history is kept, and asks for it when it is not", async () => {
    const push = served();
    const input = ["a", "b"];
    const first = await push("steps", {}, { input });
    expect(first.json).toMatchObject({ state: "more", keeps: true });
    expect(ran).toEqual(["a"]);

    const one = recorded(first.json.commands, 1);
    const run = { ...first.run, workflow: "steps", version: "1", input };
    const slice = { after: { n: 0, hash: "" }, records: one, head: { n: 1, hash: "h1" } };
    const second = await push("steps", { history: slice }, run);
    expect(second.json.commands?.map(({ type }) => type)).toEqual(
      ["task.completed", "run.completed"].slice(0, second.json.commands?.length),
    );
    expect(ran).toEqual(["a", "b"]);

    const two = recorded(second.json.commands, 2);
    const third = { after: { n: 1, hash: "h1" }, records: two, head: { n: 2, hash: "h2" } };
    const wrong = await push("steps", { history: { ...third, after: { n: 1, hash: "another history" } } }, run);
    expect([wrong.status, wrong.json.error?.code]).toEqual([409, "HISTORY_NEEDED"]);
    expect((await served()("steps", { history: third }, run)).json.error?.code).toBe("HISTORY_NEEDED");
    expect(ran).toEqual([]);

    const whole = await push("steps", { history: { records: [...one, ...two], head: { n: 2, hash: "h2" } } }, run);
    expect(whole.json).toMatchObject({ state: "waiting" });
    expect(whole.json.commands?.at(-1)).toEqual({ type: "run.completed", output: ["did a", "did b"] });
    expect(whole.json.keeps).toBeUndefined();
  });

  it("does not say that it keeps what it does not", async () => {
    const { json } = await served({ keepHistory: { runs: 0 } })("waits");
    expect(json).toMatchObject({ state: "waiting", commands: [{ type: "event.wait" }] });
    expect(json.keeps).toBeUndefined();
  });

  it("refuses a history whose records are out of order", async () => {
    const records = recorded([{ type: "task.completed", key: "task:x:y#0", taskAttempt: 1 }], 5);
    const { status, json } = await served()("steps", { history: { records, head: { n: 4, hash: "" } } }, { input: [] });
    expect([status, json.error?.code]).toEqual([400, "INVALID_REQUEST"]);
  });

  it("runs nothing when the history does not fit the code, and names both sides", async () => {
    const records: HistoryRecord[] = [
      {
        n: 1,
        kind: "task",
        key: `task:step:${"0".repeat(64)}#0`,
        value: { state: "completed", attempts: 1, output: "did something else" },
      },
    ];
    const { status, json } = await served()(
      "steps",
      { history: { records, head: { n: 1, hash: "" } } },
      { input: ["a"] },
    );
    expect([status, json.error?.code]).toEqual([409, "NON_DETERMINISM"]);
    expect(json.error?.divergence).toMatchObject({
      leftover: [expect.stringContaining("step")],
      asked: [expect.stringContaining('"a"')],
    });
    expect(json.error?.message).toContain("Nothing was executed");
    expect(ran).toEqual([]);
  });

  it("turns what user code throws into the run's failure, whatever it is", async () => {
    const push = served();
    const thrown = await push("throws");
    expect(thrown.status).toBe(200);
    expect(thrown.json.commands).toEqual([
      { type: "run.failed", error: expect.objectContaining({ name: "TypeError", message: "thrown by the user" }) },
    ]);
    const odd = await push("rejects-oddly");
    expect([odd.status, odd.json.commands?.[0]?.type]).toEqual([200, "run.failed"]);
  });

  it("aborts signals and answers before the time is over, also for a task that does not listen", async () => {
    const { status, json } = await served()("late", { budgetMs: 300 });
    expect(status).toBe(200);
    const failed = json.commands?.filter((command) => command.type === "task.failed");
    expect(failed?.map((command) => command.type === "task.failed" && command.error.code)).toEqual([
      "OUT_OF_TIME",
      "OUT_OF_TIME",
    ]);
    expect(ran).toEqual(["aborted"]);
  });

  it("keeps to its own limit when that is shorter than the push's", async () => {
    const { json } = await served({ maxDuration: { seconds: 1 } })("late", { budgetMs: 600_000 });
    expect(json.commands?.some((command) => command.type === "task.failed")).toBe(true);
  });
});

describe("replay", () => {
  const lines: string[] = [];
  const logging = workflow({ name: "logging" }).v("1", {
    async handler(run) {
      run.logger.info("a line of a run that does not go on");
      await step.start(run, "new");
    },
  });
  const hanging = workflow({ name: "hanging" }).v("1", { handler: () => new Promise(() => {}) });
  const record = recorded([{ type: "task.completed", key: `task:step:${"0".repeat(64)}#0`, taskAttempt: 1 }], 1);

  async function replay(name: string, records: HistoryRecord[], options: EndpointOptions = {}) {
    ran = [];
    const logger = { ...silent, info: (line: object | string) => void lines.push(String(line)) };
    const handle = endpoint({ workflows: [steps, logging, hanging], publicKeys: key.text, logger, ...options });
    const { pushId, run } = executePush({}, { workflow: name, version: "1", input: ["a"] });
    const { headers, body } = await signedPush(key, URL_, { type: "replay", pushId, run, history: { records } });
    const request = new Request(URL_, {
      method: "POST",
      headers: { ...headers, host: "app.test" },
      body: body as string,
    });
    const response = await handle(request);
    return { status: response.status, json: (await response.json()) as Answer };
  }

  it("answers a divergence and runs nothing, not even the handler's log lines", async () => {
    expect(await replay("steps", record)).toEqual({
      status: 200,
      json: {
        fits: false,
        divergence: { leftover: ["task step #1 (input 00000000)"], asked: ['task step "a"'] },
        alike: "task step / task step",
      },
    });
    expect(await replay("logging", [])).toEqual({ status: 200, json: { fits: true } });
    expect([ran, lines]).toEqual([[], []]);
  });

  it("gives up in time on a handler that hangs, and says so", async () => {
    const { status, json } = await replay("hanging", record, { maxDuration: { seconds: 1 } });
    expect([status, json.error?.code]).toEqual([422, "OUT_OF_TIME"]);
    expect(json.error?.message).toMatch(
      /^The handler of hanging@1 did not come to rest within 0\.5 s, so that it is not known whether run_/,
    );
  });

  it("refuses what is not served, and records out of order", async () => {
    expect((await replay("unknown", record)).json.error?.code).toBe("WORKFLOW_NOT_SERVED");
    expect((await replay("steps", [...record, ...record])).json.error?.code).toBe("INVALID_REQUEST");
  });
});

describe("a fault of the SDK itself", () => {
  it("is answered with a code and logged, and does not reach the host", async () => {
    const errors: object[] = [];
    const broken = { ...waits, definition: { ...waits.definition } };
    const handle = endpoint({
      workflows: [broken],
      publicKeys: key.text,
      logger: { ...silent, error: (fields: object | string) => void errors.push(fields as object) },
    });
    const { headers, body } = await signedPush(key, URL_, executePush({}, { workflow: "waits", version: "1" }));
    const request = new Request(URL_, {
      method: "POST",
      headers: { ...headers, host: "app.test" },
      body: body as string,
    });
    Object.defineProperty(request, "signal", {
      get() {
        throw new Error("a host that breaks the standard");
      },
    });
    const response = await handle(request);
    expect([response.status, response.headers.get("aiki-protocol")]).toEqual([500, "1"]);
    expect(await response.json()).toEqual({
      error: { code: "INTERNAL", message: "The endpoint failed. The app's log says why." },
    });
    expect(errors).toEqual([
      { code: "INTERNAL", err: expect.objectContaining({ message: "a host that breaks the standard" }) },
    ]);
  });
});
