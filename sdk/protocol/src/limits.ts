/** Every bound of the protocol: a name, a unit, a default. Servers may lower them by settings, never raise them. */
export const LIMITS = {
  /** Bytes of one push or API request body, and of one answer. Serverless hosts stop at 4.5 MB. */
  bodyBytes: 4 * 1024 * 1024,
  /** Bytes of one payload: an input, output or event. */
  payloadBytes: 2 * 1024 * 1024,
  /** Commands in one answer. */
  commands: 10_000,
  /** Nesting of arrays and objects in any payload. */
  jsonDepth: 64,
  /** Waits, sleeps and children that one run may have open at once. */
  openWaits: 10_000,
  /** Events of one run that wait to be received. */
  queuedEvents: 1_000,
  /** Characters of a workflow, task, event, sleep or endpoint name. */
  nameChars: 255,
  /** Characters of a version id. */
  versionChars: 100,
  /** Characters of a reference id. */
  referenceChars: 255,
  /** Characters of an entry key: two names, a reference, a hash and an index. */
  keyChars: 1_200,
  /** Characters of an error's message; longer ones are cut by the SDK. */
  errorMessageChars: 16_384,
  /** Characters of an error's stack; longer ones are cut by the SDK. */
  errorStackChars: 32_768,
  /** Errors in a chain of causes. */
  errorCauses: 8,
  /** Longest duration of a sleep, timeout or delay, and farthest dated start: ten years. */
  durationMs: 3650 * 24 * 60 * 60 * 1000,
  /** Attempts that a retry policy may name, and the factor by which it may raise its delay. */
  retryAttempts: 1_000_000,
  retryFactor: 1_000,
  /** Characters of a reason given with a cancel. */
  reasonChars: 1_000,
  /** Registered extra headers per endpoint, and characters of each value. */
  endpointHeaders: 20,
  headerChars: 4_096,
  /** Milliseconds that an endpoint's host may let one invocation last: a day. */
  invocationMs: 24 * 60 * 60 * 1000,
  /** Milliseconds after which the answer to a push is brought at the latest that was answered with 202: a day. */
  callbackMs: 24 * 60 * 60 * 1000,
  /** Pushes that one endpoint may get at a time. */
  endpointConcurrency: 10_000,
  /** Longest URL. */
  urlChars: 2_048,
  /** Workflow versions in one manifest. */
  manifestWorkflows: 1_000,
  /** Looks at a value or a keyword while one value is compared with a JSON Schema; then nothing is said of it. */
  schemaSteps: 100_000,
  /** Schemas inside each other, references followed, while one value is compared. */
  schemaDepth: 256,
  /** Runs in one multicast or batch. */
  batchRuns: 1_000,
  /** Bytes of recorded values that one push or one page carries; what a push leaves out is read by URL. */
  historyBytes: 3 * 1024 * 1024,
  /** Checkpoints in one request. */
  batchCheckpoints: 100,
  /** Runs in flight that one check replays. */
  checkedRuns: 1_000,
  /** Runs that one request with a filter reaches. */
  bulkRuns: 10_000,
  /** Rows of one page, and characters of the cursor that leads to the next. */
  pageRows: 500,
  cursorChars: 200,
  /** Characters of the text that runs are looked for by. */
  searchChars: 255,
  /** Runs that one page is looked for among; a page with fewer than it could hold leads to the next all the same. */
  scannedRuns: 10_000,
  /** Up to where runs of one status are counted. */
  countedRuns: 10_000,
  /** Pushes of one run that are remembered. */
  keptPushes: 100,
  /** Points of one answer of statistics, the shortest step between them, and how long minutes are kept. */
  statsPoints: 1_500,
  statsStepMs: 60_000,
  statsKeptMs: 7 * 24 * 60 * 60 * 1000,
  /** Endpoints of one answer of statistics. */
  statsEndpoints: 100,
  /** Streams that one process serves. */
  streams: 1_000,
  /** Characters of an API key. */
  apiKeyChars: 500,
  /** How long a browser is signed in. */
  sessionMs: 12 * 60 * 60 * 1000,
  /** Failed sign-ins of one address within a minute, before further ones are refused unread. */
  signInsPerMinute: 10,
  /** Schedules of one namespace. */
  schedules: 10_000,
  /** Characters of a cron expression, and of a time zone's name. */
  cronChars: 200,
  timezoneChars: 64,
  /** Shortest interval between two fires of a schedule. */
  scheduleEveryMs: 1_000,
  /** Missed fires that a schedule with `catchUp: "all"` makes up for at once: the latest of them. */
  catchUpRuns: 100,
  /** Longest long poll. */
  waitMs: 60_000,
  /** Longest poll of a worker. */
  pollMs: 20_000,
  /** Runs that one poll is given at most. */
  pollPushes: 10,
  /** Polls of workers of one namespace that may wait in one process. */
  waitingPolls: 1_000,
  /** Pools of one worker. */
  workerPools: 20,
  /** Runs that one worker may have in hand. */
  workerRuns: 1_000,
} as const;
