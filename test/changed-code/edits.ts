/**
 * Kinds of change that people make to the code of a workflow while runs of it are in flight, and what becomes of those
 * runs. Every run is recorded by `before` up to its wait for the event `go`, and continued by `after`.
 */
import { event, task, type WorkflowRun, workflow } from "@aikirun/workflow";

/** What tasks did: the side effects of the application, by run. */
export const executed: { readonly runId: string; readonly what: string }[] = [];

const logged =
  <Input>(name: string) =>
  async (input: Input, { run }: { readonly run: { readonly id: string } }): Promise<string> => {
    const what = `${name} ${JSON.stringify(input)}`;
    executed.push({ runId: run.id, what });
    return what;
  };
const charge = task({ name: "charge", handler: logged<object>("charge") });
const chargeCard = task({ name: "charge-card", handler: logged<object>("charge-card") });
const chargeAnew = task({
  name: "charge",
  timeout: { seconds: 9 },
  retry: { type: "fixed", maxAttempts: 9, delayMs: 1 },
  handler: logged<object>("charge, written anew"),
});
const ship = task({ name: "ship", handler: logged<string>("ship") });
const tell = task({ name: "tell", handler: logged<string>("tell") });

const survey = workflow({ name: "survey" });
const surveyHandler = async (_run: object, input: { about: string }) => `asked about ${input.about}`;
const surveyV1 = survey.v("1.0.0", { handler: surveyHandler });
const surveyV2 = survey.v("2.0.0", { handler: surveyHandler });
export const children = [surveyV1, surveyV2];

const events = { go: event(), signed: event() };
type Run = WorkflowRun<typeof events>;
type Code = (run: Run) => Promise<unknown>;

/** Where every run waits while its code is changed, and what it does afterwards. */
const rest: Code = async (run) => {
  await run.events.go.wait();
  await ship.start(run, "the rest");
  return "done";
};
const order: Code = async (run) => {
  await charge.start(run, { cents: 999 });
  await ship.start(run, "a");
  await run.sleep("grace", 1);
  return rest(run);
};
const asking: Code = async (run) => {
  const child = await surveyV1.startAsChild(run, { about: "a" });
  await child.waitForStatus("completed");
  return rest(run);
};
const shipping =
  (rounds: number): Code =>
  async (run) => {
    for (let i = 0; i < rounds; i++) await ship.start(run, `round ${i}`);
    return rest(run);
  };
const charged: Code = (run) => charge.start(run, { cents: 999 }).then(() => rest(run));
const both: Code = (run) => Promise.all([charge.start(run, { cents: 1 }), ship.start(run, "a")]).then(() => rest(run));

/** What a check says of such runs, and what becomes of them: they complete, stop, or fail. */
type Fate = "fits" | "diverges" | "unasked" | "fails";

export interface Edit {
  readonly name: string;
  readonly fate: Fate;
  readonly before: Code;
  readonly after: Code;
  /** Of a divergence, as text that must be part of a line on each side. */
  readonly leftover?: string;
  readonly asked?: string;
}

function safe(name: string, before: Code, after: Code): Edit {
  return { name, fate: "fits", before, after };
}

/** Stops before anything of the new code is executed. */
function unsafe(name: string, before: Code, after: Code, leftover: string, asked: string): Edit {
  return { name, fate: "diverges", before, after, leftover, asked };
}

/** Goes on until it asks for something new, and stops before that. */
function unsafeLater(name: string, before: Code, after: Code, leftover: string): Edit {
  return { name, fate: "unasked", before, after, leftover };
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const goOn = (name: string) => async (run: Run) => {
  await run.events.go.wait();
  await tell.start(run, name);
  await ship.start(run, "the rest");
};

export const edits: readonly Edit[] = [
  safe("calls moved into a function", order, async (run) => {
    const prepare = async () => {
      await charge.start(run, { cents: 999 });
      await ship.start(run, "a");
    };
    await prepare();
    await run.sleep("grace", 1);
    return rest(run);
  }),
  safe("two calls reordered", order, async (run) => {
    await ship.start(run, "a");
    await charge.start(run, { cents: 999 });
    await run.sleep("grace", 1);
    return rest(run);
  }),
  safe("a call appended", charged, (run) => charged(run).then(() => tell.start(run, "appended"))),
  safe("a call inserted where no run has come yet", charged, (run) =>
    charge.start(run, { cents: 999 }).then(() => goOn("inserted")(run)),
  ),
  safe("the end removed", order, (run) => charge.start(run, { cents: 999 })),
  safe("a sleep's duration changed", order, async (run) => {
    await charge.start(run, { cents: 999 });
    await ship.start(run, "a");
    await run.sleep("grace", { days: 30 });
    return rest(run);
  }),
  safe("a timeout given to a wait", charged, async (run) => {
    await charge.start(run, { cents: 999 });
    await run.events.go.wait({ timeout: { days: 1 } });
    return ship.start(run, "the rest");
  }),
  safe("a task's code, retry and timeout changed", charged, (run) =>
    chargeAnew.start(run, { cents: 999 }).then(() => rest(run)),
  ),
  safe("calls made concurrent", order, async (run) => {
    await Promise.all([charge.start(run, { cents: 999 }), ship.start(run, "a"), run.sleep("grace", 1)]);
    return rest(run);
  }),
  safe("concurrent calls made sequential", both, async (run) => {
    await ship.start(run, "a");
    await charge.start(run, { cents: 1 });
    return rest(run);
  }),
  safe("a branch added beside the others", order, (run) =>
    Promise.all([order(run), tell.start(run, "beside")]).then(([done]) => done),
  ),
  safe(
    "an input's members reordered",
    (run) => charge.start(run, { cents: 1, to: "Ada" }).then(() => rest(run)),
    (run) => charge.start(run, { to: "Ada", cents: 1 }).then(() => rest(run)),
  ),
  safe("an undefined member added to an input", charged, (run) =>
    charge.start(run, { cents: 999, note: undefined }).then(() => rest(run)),
  ),
  safe("slow code that is not a task put between calls", order, async (run) => {
    await pause(20);
    await charge.start(run, { cents: 999 });
    await pause(20);
    await ship.start(run, "a");
    await run.sleep("grace", 1);
    return rest(run);
  }),
  safe("a path added for other runs", charged, async (run) => {
    if (run.options.reference === "vip") await tell.start(run, "a very important person");
    return charged(run);
  }),
  safe("try, catch and finally put around a call", charged, async (run) => {
    try {
      await charge.start(run, { cents: 999 });
    } catch {
      await tell.start(run, "could not charge");
    } finally {
      await rest(run);
    }
  }),
  safe("the result changed", charged, (run) => charged(run).then(() => ({ finished: true }))),
  safe("a child awaited later", asking, async (run) => {
    const child = await surveyV1.startAsChild(run, { about: "a" });
    const [done] = await Promise.all([rest(run), child.waitForStatus("completed")]);
    return done;
  }),

  unsafe(
    "a task inserted before",
    order,
    (run) => tell.start(run, "before").then(() => order(run)),
    "task charge #1",
    'task tell "before"',
  ),
  unsafe(
    "a sleep inserted before",
    order,
    (run) => run.sleep("a moment", 1).then(() => order(run)),
    "task charge #1",
    "sleep a moment",
  ),
  unsafe(
    "a task inserted between",
    order,
    async (run) => {
      await charge.start(run, { cents: 999 });
      await tell.start(run, "between");
      await ship.start(run, "a");
      return rest(run);
    },
    "task ship #1",
    'task tell "between"',
  ),
  unsafe(
    "a task renamed",
    charged,
    (run) => chargeCard.start(run, { cents: 999 }).then(() => rest(run)),
    "task charge #1",
    'task charge-card {"cents":999}',
  ),
  unsafe(
    "a task's input changed",
    charged,
    (run) => charge.start(run, { cents: 1000 }).then(() => rest(run)),
    "task charge #1",
    'task charge {"cents":1000}',
  ),
  unsafe(
    "a number in an input made a text",
    charged,
    (run) => charge.start(run, { cents: "999" }).then(() => rest(run)),
    "task charge #1",
    'task charge {"cents":"999"}',
  ),
  unsafe(
    "a member added to an input",
    charged,
    (run) => charge.start(run, { cents: 999, currency: "EUR" }).then(() => rest(run)),
    "task charge #1",
    'task charge {"cents":999,"currency":"EUR"}',
  ),
  unsafe(
    "chance put into an input",
    charged,
    (run) => charge.start(run, { cents: 999, nonce: Math.random() }).then(() => rest(run)),
    "task charge #1",
    'task charge {"cents":999,"nonce":',
  ),
  unsafe(
    "a sleep renamed",
    (run) => run.sleep("grace", 1).then(() => rest(run)),
    (run) => run.sleep("mercy", 1).then(() => rest(run)),
    "sleep grace #1",
    "sleep mercy",
  ),
  unsafe(
    "an event renamed",
    charged,
    async (run) => {
      await charge.start(run, { cents: 999 });
      await run.events.signed.wait();
    },
    "event go #1",
    "event signed",
  ),
  unsafe(
    "a task replaced by a sleep",
    charged,
    (run) => run.sleep("charge", 1).then(() => rest(run)),
    "task charge #1",
    "sleep charge",
  ),
  unsafe(
    "a child of another version",
    asking,
    (run) => surveyV2.startAsChild(run, { about: "a" }).then(() => rest(run)),
    "child survey@1.0.0 #1",
    'child survey@2.0.0 {"about":"a"}',
  ),
  unsafe(
    "a child with another input",
    asking,
    (run) => surveyV1.startAsChild(run, { about: "b" }).then(() => rest(run)),
    "child survey@1.0.0 #1",
    'child survey@1.0.0 {"about":"b"}',
  ),
  unsafe(
    "a condition turned round",
    charged,
    async (run) => {
      if (run.options.reference === undefined) await tell.start(run, "no reference");
      else await charge.start(run, { cents: 999 });
      return rest(run);
    },
    "task charge #1",
    'task tell "no reference"',
  ),
  unsafe("one more round of a loop", shipping(2), shipping(3), "event go #1", 'task ship "round 2"'),

  unsafeLater("one round less of a loop", shipping(3), shipping(2), "task ship #1"),
  unsafeLater("a call removed from the middle", order, charged, "task ship #1"),
  unsafeLater("a branch removed", both, (run) => charge.start(run, { cents: 1 }).then(() => rest(run)), "task ship #1"),
  unsafeLater(
    "a call made once instead of twice",
    (run) => charge.start(run, { cents: 999 }).then(() => charged(run)),
    charged,
    "task charge #2",
  ),
  unsafeLater(
    "a child no longer awaited",
    asking,
    (run) => surveyV1.startAsChild(run, { about: "a" }).then(() => rest(run)),
    "wait for child survey@1.0.0 to be completed #1",
  ),
  {
    name: "code that throws before",
    fate: "fails",
    before: charged,
    after: async () => {
      throw new TypeError("order.lines is undefined");
    },
    leftover: "task charge #1",
  },
];

const slug = (edit: Edit): string => edit.name.replaceAll(/[^a-z]+/g, "-");

/** The workflow whose code an edit changes, as it stands before or after. */
export function versionOf(edit: Edit, code: "before" | "after") {
  return workflow({ name: slug(edit) }).v("1.0.0", { handler: (run: Run) => edit[code](run), events });
}
