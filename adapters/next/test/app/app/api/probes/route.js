import { connection } from "next/server";
import { counts } from "../../../../../../../sdk/endpoint/test/probes.js";

export async function GET() {
  await connection();
  return Response.json(counts());
}
