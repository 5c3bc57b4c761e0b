// OpenAI's API for editing images over the service, as the official clients send and read it.
// Knows of: the service, forms, server-sent events.
// Does not know of: who may ask, queues, models at work.
export { openaiApp } from "./app.ts";
export { openaiEndpoints } from "./document.ts";
