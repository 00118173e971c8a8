/**
 * An app as a program of its own: serves `steps-NAME` by `FRAMEWORK` at `PORT`, with an invocation of two seconds and
 * `BACKGROUND_S` more in the background.
 */
import { createServer } from "node:http";
import { serveAiki as serveByExpress } from "@aikirun/express";
import { serveAiki as serveByHono } from "@aikirun/hono";
import { getRequestListener } from "@hono/node-server";
import express from "express";
import { Hono } from "hono";
import { stepsOf } from "./workflows.js";

const { NAME = "", FRAMEWORK, PORT, BACKGROUND_S } = process.env;
const workflows = [stepsOf(NAME)];
const options = { maxDuration: { seconds: 2 }, background: { seconds: Number(BACKGROUND_S) } };

const listener =
  FRAMEWORK === "express"
    ? express().use("/api/aiki", serveByExpress(workflows, options))
    : getRequestListener(new Hono().all("/api/aiki", serveByHono(workflows, options)).fetch);
createServer((incoming, outgoing) => void listener(incoming, outgoing)).listen(Number(PORT), "127.0.0.1", () => {
  console.log("listening");
});
