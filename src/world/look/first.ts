// The first edition of the world, on which the models in checkpoints/ were trained. If those models are removed, remove
// this file and everything else that serves the first edition alone: Individual.marksOn, editionKey, the entries for 1 in
// caption.ts and pairs.ts.
import { Random } from "../../core/index.ts";
import { type Beast, BUILDS, type Build } from "../body/species.ts";
import { unit, type Vec } from "../geometry.ts";
import type { Mark, Zone } from "../marks.ts";
import { hash } from "../noise.ts";
import type { Place, Scene } from "../scene.ts";
import type { BeastShape, BirdShape, Individual, Look, Setting, View } from "./look.ts";

/** Independent uses of a scene's two seeds. */
const STREAM = { view: 1, body: 2, markings: 3 };

const COATED: readonly Zone[] = ["trunk", "leg", "neck", "tail"];

const BEAK: Vec = [0.97, 0.62, 0.14];
const WHITE: Vec = [0.97, 0.97, 0.95];

/** Paint of the walls of rooms. */
const WALLS: readonly Vec[] = [
  [0.74, 0.8, 0.82],
  [0.84, 0.78, 0.68],
  [0.72, 0.79, 0.7],
  [0.8, 0.74, 0.8],
];

function vary(build: Build, random: Random): Build {
  const by = (range: number): number => 1 + random.between(-range, range);
  const girth = by(0.07);
  const { trunk, leg, neck, head, snout, ear, tail } = build;
  return {
    ...build,
    trunk: {
      length: trunk.length * by(0.06),
      chest: trunk.chest * girth,
      belly: trunk.belly * girth * by(0.05),
      rump: trunk.rump * girth,
    },
    leg: { ...leg, length: leg.length * by(0.06), radius: leg.radius * by(0.05) },
    neck: { ...neck, length: neck.length * by(0.06), angle: neck.angle + random.between(-6, 6) },
    head: { radius: head.radius * by(0.04), pitch: head.pitch + random.between(-6, 6) },
    snout: { ...snout, length: snout.length * by(0.1) },
    ear: { ...ear, size: ear.size * by(0.1) },
    tail: { ...tail, length: tail.length * by(0.1), angle: tail.angle + random.between(-8, 8) },
  };
}

function beastShape(kind: Beast, random: Random): BeastShape {
  const build = vary(BUILDS[kind], random);
  const headTurn = random.between(14, 38);
  const swing = random.between(0.09, 0.13) * (build.leg.length / 0.5);
  return { kind, build, headTurn, swing, curl: random.between(-0.5, 0.7) };
}

function birdShape(random: Random): BirdShape {
  const height = random.between(0.38, 0.44);
  const girth = random.between(0.94, 1.06);
  const beak = random.between(0.85, 1.15);
  const headTurn = random.between(12, 34);
  const lift = random.between(46, 58);
  const paleFront = random.uniform() < 0.5;
  const build = { height, girth, beak, headTurn, lift, paleFront, eye: 0.24, tail: 1, crest: 0, horn: BEAK };
  return { kind: "bird", build };
}

function marks({ animal, bodySeed }: Scene): readonly Mark[] {
  if (animal === "giraffe") return [{ shape: "cells", zones: COATED, pitch: 4.6 }];
  if (animal === "cow" && (bodySeed & 1) === 1) return [{ shape: "clouds", zones: COATED, edge: [0.64, 0.69] }];
  return [];
}

function individual(scene: Scene): Individual {
  const random = new Random(scene.bodySeed, STREAM.markings);
  const shade = 1 + random.between(-0.06, 0.06);
  const pale = random.uniform() < 0.6 ? random.between(0.25, 0.5) : 0.08;
  const body = new Random(scene.bodySeed, STREAM.body);
  const { animal } = scene;
  const shape = animal === "bird" ? birdShape(body) : beastShape(animal, body);
  return {
    shape,
    dye: [shade, shade, shade],
    pale,
    hair: null,
    wing: null,
    eye: WHITE,
    collar: null,
    marks: marks(scene),
    marksOn: "picture",
  };
}

function view(scene: Scene, random: Random): View {
  const portrait = scene.framing === "portrait";
  const yaw = portrait ? random.between(40, 62) : random.between(-6, 34);
  const tilt = portrait ? random.between(2, 8) : random.between(6, 14);
  const fill = portrait ? random.between(0.8, 0.92) : random.between(0.9, 0.97);
  const sun = unit([random.between(-0.75, 0.75), 1, random.between(0.35, 0.95)]);
  const warm = random.between(-1, 1);
  const tint: Vec = [1 + 0.025 * warm, 1, 1 - 0.035 * warm];
  return { yaw, tilt, fill, lens: portrait ? 0.24 : 0.3, shift: [0, 0], sun, tint, sunshine: 1 };
}

function setting(place: Place, grain: number): Setting {
  const deeper = hash(1, 2, grain);
  const depth = { room: 0.05, "stone floor": 0.35 + 0.4 * deeper, beach: 0.5 + 0.9 * deeper, grass: 9, snow: 9 };
  const wallHeight = place === "room" ? 1e9 : place === "stone floor" ? 0.3 + 0.2 * hash(3, 1, grain) : 0;
  return {
    depth: depth[place],
    wallHeight,
    wall: WALLS[Math.floor(hash(5, 3, grain) * WALLS.length)],
    window: hash(9, 9, grain) < 0.5 ? null : (hash(4, 6, grain) - 0.5) * 1.6,
    tone: [1, 1, 1],
    props: [],
    decals: [],
    paintings: [],
    grain,
  };
}

export function firstLook(scene: Scene): Look {
  const random = new Random(scene.viewSeed, STREAM.view);
  const seen = view(scene, random);
  return { individual: individual(scene), view: seen, setting: setting(scene.place, random.uint32() & 0xffff) };
}
