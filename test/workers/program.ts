/** A worker as a program of its own: `AIKI_URL` and `AIKI_API_KEY` as for any client; ends when it is asked to. */
import { client } from "@aikirun/client";
import { worker } from "@aikirun/worker";
import { chainV1, longV1 } from "./workflows.js";

const pools = process.env["POOLS"]?.split(",");
const running = await worker({ workflows: [chainV1, longV1], ...(pools && { pools }) }).spawn(client());
console.log("working");
process.once("SIGTERM", () => void running.stop());
