import { DatabaseError } from "pg";
import { describe, expect, it } from "vitest";
import { brokenConstraint, type Fault, faultOf } from "../../../src/store/postgres/faults.js";

function refused(code: string, constraint?: string): DatabaseError {
  const error = new DatabaseError("refused", 0, "error");
  error.code = code;
  if (constraint !== undefined) error.constraint = constraint;
  return error;
}

function system(code: string): Error {
  return Object.assign(new Error(`connect ${code}`), { code });
}

describe("an error of the database", () => {
  it.each<[string, Fault]>([
    ["08000", "unavailable"],
    ["08006", "unavailable"],
    ["08P01", "unavailable"],
    ["22021", "data"],
    ["22P02", "data"],
    ["23502", "data"],
    ["23505", "data"],
    ["25006", "unavailable"],
    ["25P03", "unavailable"],
    ["25001", "bug"],
    ["26000", "unprepared"],
    ["28P01", "unavailable"],
    ["40001", "retry"],
    ["40P01", "retry"],
    ["40003", "bug"],
    ["42P05", "unprepared"],
    ["42P01", "bug"],
    ["42601", "bug"],
    ["53100", "unavailable"],
    ["53300", "unavailable"],
    ["54000", "data"],
    ["55P03", "unavailable"],
    ["55006", "bug"],
    ["57014", "unavailable"],
    ["57P01", "unavailable"],
    ["57P03", "unavailable"],
    ["58030", "unavailable"],
    ["XX000", "bug"],
  ])("%s means %s", (code, fault) => {
    expect(faultOf(refused(code))).toBe(fault);
  });
});

describe("an error of the connection", () => {
  it.each(["ECONNREFUSED", "ECONNRESET", "EPIPE", "ETIMEDOUT", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENOENT"])(
    "%s means unavailable",
    (code) => {
      expect(faultOf(system(code))).toBe("unavailable");
      expect(faultOf(new AggregateError([system(code)]))).toBe("unavailable");
    },
  );

  it.each([
    "Connection terminated unexpectedly",
    "Connection terminated due to connection timeout",
    "timeout exceeded when trying to connect",
    "Query read timeout",
    "Client has encountered a connection error and is not queryable",
    "Client was closed and is not queryable",
    "Cannot use a pool after calling end on the pool",
  ])("%s means unavailable", (message) => {
    expect(faultOf(new Error(message))).toBe("unavailable");
  });

  it.each([
    new Error("anything else"),
    new TypeError("x is not a function"),
    "text",
    undefined,
    system("ERR_ASSERTION"),
  ])("anything else is a bug", (error) => {
    expect(faultOf(error)).toBe("bug");
  });
});

it("knows which constraint was broken", () => {
  expect(brokenConstraint(refused("23505", "mailbox_event_id"))).toBe("mailbox_event_id");
  expect(brokenConstraint(refused("23503", "mailbox_event_id"))).toBeUndefined();
  expect(brokenConstraint(new Error("no"))).toBeUndefined();
});
