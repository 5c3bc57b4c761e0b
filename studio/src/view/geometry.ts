/** Position on a pane, in its widths and heights from its centre: -0.5..0.5. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** The part of a picture that a pane shows. x, y: the picture's centre on the pane. scale: 1 shows the whole picture. */
export interface View extends Point {
  readonly scale: number;
}

export const whole: View = { scale: 1, x: 0, y: 0 };

/** Pixels of the screen that one pixel of the picture may fill. */
const LARGEST_PIXEL = 48;
/** From here on, pixels of the picture are shown as squares. */
const SQUARE_PIXEL = 4;

/** Returns the largest scale for a picture that is `pixels` wide on a pane that is `width` wide. */
export const largestScale = (pixels: number, width: number): number =>
  Math.max(8, width > 0 ? (LARGEST_PIXEL * pixels) / width : 8);

/** Tells if pixels are to be shown as squares. The whole picture is always shown smoothly. */
export const showsSquares = ({ scale }: View, pixels: number, width: number): boolean =>
  scale > 1 && (scale * width) / pixels >= SQUARE_PIXEL;

/** Moves a view so that the picture covers the pane. */
function covering({ scale, x, y }: View): View {
  const most = (scale - 1) / 2;
  const within = (value: number): number => Math.min(most, Math.max(-most, value));
  return { scale, x: within(x), y: within(y) };
}

/** Zooms by a factor. The point of the picture that lies at `at` stays there. most: largest scale. */
export function zoomed({ scale, x, y }: View, factor: number, at: Point, most: number): View {
  const next = Math.min(most, Math.max(1, scale * factor));
  const ratio = next / scale;
  return covering({ scale: next, x: at.x - (at.x - x) * ratio, y: at.y - (at.y - y) * ratio });
}

/** Moves the picture. */
export const panned = ({ scale, x, y }: View, by: Point): View => covering({ scale, x: x + by.x, y: y + by.y });

export type Fingers = readonly [Point, Point];

const middle = ([a, b]: Fingers): Point => ({ x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 });
/** shape: width of the pane by its height. */
const distance = ([a, b]: Fingers, shape: number): number => Math.hypot((a.x - b.x) * shape, a.y - b.y);

/** Zooms and moves with two fingers. shape: width of the pane by its height. */
export function pinched(view: View, from: Fingers, to: Fingers, shape: number, most: number): View {
  const [start, end] = [middle(from), middle(to)];
  const factor = distance(to, shape) / Math.max(1e-3, distance(from, shape));
  return panned(zoomed(view, factor, start, most), { x: end.x - start.x, y: end.y - start.y });
}
