/** The store in memory: for tests, the simulation and virtual time. Nothing survives the process. */

import { countDue, memoryPushes } from "./memory-pushes.js";
import { EPOCH, MemoryKeys, MemoryRegistry } from "./memory-registry.js";
import { MemoryRuns, type MemoryStoreOptions } from "./memory-runs.js";
import { MemorySchedules } from "./memory-schedules.js";
import { MemoryStats } from "./memory-stats.js";
import type { RunQueries, RunStore, ScheduleStore, Store } from "./port.js";

export type { MemoryStoreOptions } from "./memory-runs.js";

export function memoryStore(options: MemoryStoreOptions = {}): Store {
  return assembleStore(new MemoryRuns(options, () => EPOCH), options);
}

/** The whole port around runs that the caller keeps a hand on, as the simulation does. */
export function assembleStore(runs: MemoryRuns, options: MemoryStoreOptions): Store {
  const registry = new MemoryRegistry();
  const stats = new MemoryStats(() => runs.now().latest);
  const keys = new MemoryKeys(() => options.now?.() ?? Date.now());
  return {
    ...runVerbs(runs),
    ...memoryPushes(runs),
    addMinutes: (minutes, endpoints) => stats.addMinutes(minutes, endpoints),
    readMinutes: (ns, span, stepMs) => stats.readMinutes(ns, span, stepMs),
    readEndpointMinutes: (ns, id, span, stepMs) => stats.readEndpointMinutes(ns, id, span, stepMs),
    busiestEndpoints: (ns, span, limit) => stats.busiestEndpoints(ns, span, limit),
    countDue: async (most) => countDue(runs, most),
    ...scheduleVerbs(new MemorySchedules(runs, options)),
    saveEndpoint: (endpoint, takeOver) => registry.saveEndpoint(endpoint, takeOver),
    markEndpoint: (ns, id, status, trouble) => registry.markEndpoint(ns, id, status, trouble),
    listEndpoints: (ns) => registry.listEndpoints(ns),
    removeEndpoint: (ns, id) => registry.removeEndpoint(ns, id),
    createKey: (key) => keys.createKey(key),
    findKey: (hash) => keys.findKey(hash),
    listKeys: (ns) => keys.listKeys(ns),
    revokeKey: (ns, id) => keys.revokeKey(ns, id),
    hasKeys: () => keys.hasKeys(),
    listSigningKeys: () => keys.listSigningKeys(),
    addSigningKey: (key) => keys.addSigningKey(key),
    setSigningKeyState: (kid, state) => keys.setSigningKeyState(kid, state),
    removeSigningKey: (kid) => keys.removeSigningKey(kid),
    epoch: () => keys.epoch(),
    ping: () => keys.ping(),
    close: async () => {},
  };
}

/** The verbs as plain functions, so that one of them can be replaced. */
export function runVerbs(runs: MemoryRuns): RunStore & RunQueries {
  return {
    now: () => runs.now(),
    start: (run, leaseMs) => runs.start(run, leaseMs),
    append: (message, maxQueued, leaseMs) => runs.append(message, maxQueued, leaseMs),
    appendWhere: (where, message) => runs.appendWhere(where, message),
    claim: (limits) => runs.claim(limits),
    load: (ns, id) => runs.load(ns, id),
    readMail: (ns, id, after) => runs.readMail(ns, id, after),
    commit: (commit, leaseMs) => runs.commit(commit, leaseMs),
    lastCommit: (ns, id) => runs.lastCommit(ns, id),
    extend: (ns, id, gen, leaseMs) => runs.extend(ns, id, gen, leaseMs),
    holdForCallback: (ns, id, gen, leaseMs) => runs.holdForCallback(ns, id, gen, leaseMs),
    bump: (ns, id, gen, leaseMs) => runs.bump(ns, id, gen, leaseMs),
    retry: (ns, id, eventId) => runs.retry(ns, id, eventId),
    release: (ns, id, gen) => runs.release(ns, id, gen),
    wakeUnserved: (ns, versions) => runs.wakeUnserved(ns, versions),
    nextDueAt: () => runs.nextDueAt(),
    dueRuns: (limit) => runs.dueRuns(limit),
    wakesAt: (ns, id) => runs.wakesAt(ns, id),
    getRun: (ns, id) => runs.getRun(ns, id),
    findByReference: (ns, workflow, version, reference) => runs.findByReference(ns, workflow, version, reference),
    versionsOf: (ns, ids) => runs.versionsOf(ns, ids),
    listRuns: (ns, filter, cursor, limit) => runs.listRuns(ns, filter, cursor, limit),
    readHistory: (ns, id, after, limit, maxBytes) => runs.readHistory(ns, id, after, limit, maxBytes),
    countLive: (ns) => runs.countLive(ns),
    countByStatus: (ns, most) => runs.countByStatus(ns, most),
    countUnserved: (ns, most) => runs.countUnserved(ns, most),
    sampleLive: (ns, versions, limit) => runs.sampleLive(ns, versions, limit),
    readFacts: (ns, id) => runs.readFacts(ns, id),
  };
}

export function scheduleVerbs(schedules: ScheduleStore): ScheduleStore {
  return {
    activate: (schedule, max) => schedules.activate(schedule, max),
    getSchedule: (ns, id) => schedules.getSchedule(ns, id),
    listSchedules: (ns, filter, cursor, limit) => schedules.listSchedules(ns, filter, cursor, limit),
    deleteSchedule: (ns, id) => schedules.deleteSchedule(ns, id),
    retimeSchedule: (ns, id, seq, nextAt) => schedules.retimeSchedule(ns, id, seq, nextAt),
    upcomingSchedules: (after, limit) => schedules.upcomingSchedules(after, limit),
    fire: (firing) => schedules.fire(firing),
  };
}
