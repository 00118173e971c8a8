/** One endpoint: what every adapter calls with the framework's request in plain terms. */
import { AikiError, type DescribeAnswer, type ReplayAnswer } from "@aikirun/protocol";
import { httpSend } from "@aikirun/protocol/http";
import { type AnyVersion, consoleLogger } from "@aikirun/workflow";
import { type EndpointAnswer, jsonAnswer, manifestHeader, refusalAnswer } from "./answer.js";
import { authenticate } from "./authenticate.js";
import { Background, type Executed, type WaitUntil } from "./background.js";
import { checkpointLine } from "./checkpoint-line.js";
import { contextMaker } from "./context.js";
import { hostWaitUntil } from "./environment.js";
import { type ExecuteDeps, execute, replay } from "./execute.js";
import { EVERY_MS, keptAwake } from "./keep-awake.js";
import { DEFAULT_KEEP, keptHistory } from "./kept-history.js";
import { type TroubleLog, troubleLog } from "./logger.js";
import { type AnyEndpointOptions, checkOptions } from "./options.js";
import { Refusal } from "./refusal.js";
import { type DescribedEndpoint, manifests, registry } from "./registry.js";
import type { EndpointRequest } from "./request.js";
import { type Settings, settingsReader } from "./settings.js";
import { joseVerifier, nodeVerifier } from "./signature.js";
import { Span, workMs } from "./span.js";
import { Unreachable } from "./unreachable.js";
import { validate } from "./validate.js";

/** Answers one HTTP request. Never rejects. */
export type Serve = (request: EndpointRequest) => Promise<EndpointAnswer>;

/**
 * Makes the function behind every adapter. `adapter` is the name of the package that the user imported.
 * Throws `SETTING_INVALID`, `DUPLICATE_WORKFLOW` or `INVALID_ARGUMENT` for what can be seen at once; what depends on
 * the environment shows at the first request, so that it cannot stop the rest of the app.
 */
export function createServe(workflows: readonly AnyVersion[], options: AnyEndpointOptions, adapter: string): Serve {
  const checked = checkOptions(options);
  const served = registry(workflows);
  const settingsFor = settingsReader(checked);
  const logger = checked.logger ?? consoleLogger;
  const log = troubleLog(logger);
  const verifier = nodeVerifier() ?? joseVerifier;
  const send = httpSend();
  const execution: ExecuteDeps = {
    registry: served,
    kept: keptHistory({ ...DEFAULT_KEEP, ...checked.keepHistory }),
    logger,
    log,
    line: checkpointLine(send),
    send,
    unreachable: new Unreachable(),
    context: contextMaker(checked.context, log),
  };

  const background = new Background(execution);
  const describe = manifests(adapter, served);
  const manifestFor = (settings: Settings, waitUntil: WaitUntil | undefined) =>
    describe({ ...settings, backgroundMs: waitUntil && checked.backgroundMs });

  /** How work goes on here after its answer. Undefined: it does not, or is not to. */
  function keeper(request: EndpointRequest, { longLived }: Settings): WaitUntil | undefined {
    if (checked.backgroundMs === undefined) return undefined;
    const waitUntil = checked.waitUntil ?? request.waitUntil ?? hostWaitUntil() ?? (longLived ? () => {} : undefined);
    if (!waitUntil) log.once("SETTING_INVALID", NO_WAIT_UNTIL);
    return waitUntil;
  }

  async function post(request: EndpointRequest): Promise<EndpointAnswer> {
    const arrivedAt = Date.now();
    const settings = settingsFor(request.bindings);
    const waitUntil = keeper(request, settings);
    const { push, bytes } = await authenticate(request, settings, verifier);
    const maxDurationMs = Math.min(settings.maxDurationMs, request.remainingMs ?? Number.POSITIVE_INFINITY);
    const { manifest, hash } = manifestFor(settings, waitUntil);
    switch (push.type) {
      case "describe": {
        const answer: DescribeAnswer = { nonce: push.nonce, pushId: push.pushId, manifest };
        return jsonAnswer(200, answer, manifestHeader(hash));
      }
      case "replay": {
        const answer: ReplayAnswer = await replay(push, { maxDurationMs, bindings: request.bindings }, execution);
        return jsonAnswer(200, answer, manifestHeader(hash));
      }
      case "execute": {
        const { development } = settings;
        const { bindings } = request;
        const headers = manifestHeader(hash);
        const span = new Span(arrivedAt + Math.min(push.budgetMs, maxDurationMs), request.signal?.());
        const working: Promise<Executed> = execute(push, bytes, { span, development, bindings }, execution).then(
          (answer) => ({ answer }),
          (error: unknown) => ({ refusal: refusalOf(error, log) }),
        );
        const answering = working.then((executed) =>
          "answer" in executed ? jsonAnswer(200, executed.answer, headers) : refusalAnswer(executed.refusal),
        );
        const mostMs = Math.min(push.checkpoint?.callbackMs ?? 0, checked.backgroundMs ?? 0);
        if (!waitUntil || mostMs === 0) return keptAwake(answering, headers);
        const outliving = {
          push,
          timeoutMs: served.timeoutMs(push.run),
          span,
          working,
          deadlineAt: arrivedAt + mostMs,
          waitUntil,
        };
        return keptAwake(answering, headers, {
          afterMs: Math.min(EVERY_MS, workMs(span.endsAt - Date.now()) / 2),
          async answer() {
            const promise = await background.begin(outliving);
            return promise && jsonAnswer(202, promise, headers);
          },
        });
      }
      case "validate":
        return jsonAnswer(200, await validate(push, served), manifestHeader(hash));
    }
  }

  return async (request) => {
    try {
      switch (request.method) {
        case "POST":
          return await post(request);
        case "GET":
        case "HEAD":
          return greeting(settingsFor(request.bindings), (settings) =>
            manifestFor(settings, keeper(request, settings)),
          );
        default:
          throw new Refusal(405, "METHOD_NOT_ALLOWED", "An Aiki endpoint answers GET and POST.", {
            headers: { allow: "GET, HEAD, POST" },
          });
      }
    } catch (error) {
      return refusalAnswer(refusalOf(error, log));
    }
  };
}

const NO_WAIT_UNTIL =
  "background does nothing here: this host stops once a request is answered. Give serveAiki the host's waitUntil.";

/** For a person who opens the URL. Names and versions of workflows are shown on a developer's machine only. */
function greeting(settings: Settings, manifestFor: (settings: Settings) => DescribedEndpoint): EndpointAnswer {
  const { manifest, hash } = manifestFor(settings);
  const { sdk, protocol, workflows } = manifest;
  const body = { aiki: "endpoint", sdk, protocol, workflows: workflows.length };
  if (!settings.development) return jsonAnswer(200, body);
  const served = workflows.map(({ name, version }) => `${name}@${version}`);
  return jsonAnswer(200, { ...body, served }, manifestHeader(hash));
}

function refusalOf(error: unknown, log: TroubleLog): Refusal {
  if (error instanceof Refusal) {
    if (error.logged) return error;
    if (error.code === "KEYS_MISSING") log.once(error.code, error.message);
    else if (error.status !== 409 && error.status !== 405) log.warn(error.loggedCode, error.reason ?? error.message);
    return error;
  }
  if (error instanceof AikiError && error.code === "SETTING_INVALID") {
    log.error(error.code, error.message);
    return new Refusal(500, error.code, "A setting of this app is wrong. Its log says which.");
  }
  log.error("INTERNAL", "The endpoint failed. This is a fault of Aiki's SDK, not of the workflow.", error);
  return new Refusal(500, "INTERNAL", "The endpoint failed. The app's log says why.");
}
