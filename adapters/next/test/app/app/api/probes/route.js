import { connection } from "next/server";
import { executions } from "../../../../../../../sdk/endpoint/test/probes.js";

export async function GET() {
  await connection();
  return Response.json({ executions: executions() });
}
