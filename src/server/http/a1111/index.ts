// AUTOMATIC1111's API over the service: img2img, progress, interrupt, and the lists that its clients read.
// Knows of: the service, what existing clients send.
// Does not know of: who may ask, queues, models at work.
export { a1111App } from "./app.ts";
export { a1111Endpoints } from "./document.ts";
