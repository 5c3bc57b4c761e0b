/** The program of a Worker that computes with WebGPU. */
import * as onnxruntime from "onnxruntime-web/webgpu";
import { isThreadOfOnnxruntime, serve } from "./serve.ts";

if (!isThreadOfOnnxruntime()) serve(onnxruntime);
