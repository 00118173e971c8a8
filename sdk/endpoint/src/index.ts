// For adapters of frameworks.
export type { EndpointAnswer } from "./answer.js";
export { endpoint, type FetchHandler } from "./endpoint.js";
export { type NodeRequest, type NodeResponse, serveNode } from "./node.js";
export type { AnyEndpointOptions, EndpointOptions } from "./options.js";
export type { EndpointRequest, RawBody } from "./request.js";
export { createServe, type Serve } from "./serve.js";
export { waitUntilOf, webRequest, webResponse } from "./web.js";
