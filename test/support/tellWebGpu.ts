import { noBrowser, noVulkan, ownGpu } from "./needs.ts";

/** Vitest's global set-up of the tests on WebGPU. Its end says what computed them, and which were not run. */
export default function tellWebGpu(): () => void {
  return () => {
    const device = ownGpu
      ? "this machine's graphics card"
      : "SwiftShader, a CPU; BARET_WEBGPU=gpu takes the graphics card";
    console.warn(`\nWebGPU was computed by ${device}.`);
    const lacking = [...(noVulkan ? ["in Node"] : []), ...(noBrowser ? ["in Chromium"] : [])];
    if (lacking.length === 0) return;
    console.warn(
      `NOT RUN: tests on WebGPU ${lacking.join(" and ")}. To run them:\n` +
        "  apt-get install -y --no-install-recommends chromium && npm run test:webgpu\n",
    );
  };
}
