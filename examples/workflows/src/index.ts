export { albumV1 } from "./album.js";
export { courierRideV1 } from "./courier.js";
export { orderV1 } from "./order.js";
export { trialV1 } from "./trial.js";
export { tripV1 } from "./trip.js";
