import type { MiddlewareHandler } from "hono";
import { secureHeaders } from "hono/secure-headers";

const own = "'self'";

/**
 * Sets the headers of pages and of everything else: scripts, styles and requests of this server alone, no frames, no guessing of
 * types, no referrer. images: more sources of pictures.
 */
export const pageHeaders = (images: readonly string[] = ["data:"]): MiddlewareHandler =>
  secureHeaders({
    contentSecurityPolicy: {
      defaultSrc: ["'none'"],
      scriptSrc: [own],
      styleSrc: [own],
      imgSrc: [own, ...images],
      connectSrc: [own],
      baseUri: ["'none'"],
      formAction: ["'none'"],
      frameAncestors: ["'none'"],
    },
    strictTransportSecurity: false,
  });
