import { describe, expect, it } from "vitest";
import { Room } from "../../src/store/postgres/room.js";

function given(most: number) {
  const clock = { now: 0 };
  return { clock, room: new Room(most, () => clock.now) };
}

describe("room for connections", () => {
  it("lets in as many as there is room for, and whoever comes later when one leaves", () => {
    const { room } = given(2);
    const [a, b, c] = [{}, {}, {}];
    for (const one of [a, b]) {
      expect(room.ask(one)).toBe(0);
      room.use(one);
    }
    expect(room.ask(c)).toBeGreaterThan(0);
    room.leave(a);
    expect(room.ask(c)).toBe(0);
  });

  it("lets nobody overtake, and makes those farther back ask less often", () => {
    const { room } = given(1);
    const holder = {};
    room.ask(holder);
    room.use(holder);
    const line = Array.from({ length: 1_000 }, () => ({}));
    const pauses = line.map((one) => room.ask(one));
    expect(pauses).toEqual([...pauses].sort((x, y) => x - y));
    expect(pauses[0]).toBeLessThan(20);
    expect(pauses.at(-1)).toBeLessThan(5_000);
    room.leave(holder);
    expect(room.ask(line[1] as object)).toBeGreaterThan(0);
    expect(room.ask(line[0] as object)).toBe(0);
  });

  it("forgets who has gone without a word, in the line and inside", () => {
    const { room, clock } = given(1);
    const [dead, silent, next] = [{}, {}, {}];
    room.ask(dead);
    room.use(dead);
    room.ask(silent);
    for (let i = 0; i < 20; i++) {
      clock.now += 2_000;
      expect(room.ask(next)).toBeGreaterThan(0);
    }
    clock.now += 21_000;
    expect(room.ask(next)).toBe(0);
  });
});
