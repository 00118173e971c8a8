export { main } from "./main.js";
export { beginText, endText } from "./timeline/end-text.js";
export { textLines } from "./timeline/follow.js";
export { timeline } from "./timeline/record-line.js";
export { type WatchEvents, watchRun } from "./timeline/watch-run.js";
