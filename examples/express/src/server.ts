import { serveAiki } from "@aikirun/express";
import { courierRideV1 } from "@examples/workflows";
import express from "express";

const app = express();
// The usual body parser may stand in front of it: pushes have a media type of their own.
app.use(express.json());
app.get("/", (_request, response) => {
  response.send("An Express app. Its workflows are served at /api/aiki.\n");
});
app.use("/api/aiki", serveAiki([courierRideV1]));

const port = Number(process.env["PORT"] ?? 3001);
app.listen(port, () => console.log(`express ready http://localhost:${port}/api/aiki`));
