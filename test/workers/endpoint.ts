/** The same workflows as an endpoint, a program of its own: on `PORT`, at `/api/aiki`. */
import { serveAiki } from "@aikirun/hono";
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { chainV1, longV1 } from "./workflows.js";

const app = new Hono();
app.all("/api/aiki", serveAiki([chainV1, longV1]));
serve({ fetch: app.fetch, port: Number(process.env["PORT"]), hostname: "127.0.0.1" }, () => console.log("serving"));
