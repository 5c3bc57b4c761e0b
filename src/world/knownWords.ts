import { vocabulary } from "./caption.ts";
import { ANIMALS, COLOURS } from "./scene.ts";

/** For words and phrases of captions: words of the same or of a near meaning that no caption contains. */
const synonyms: Readonly<Record<string, string>> = {
  dog: "puppy puppies pup hound doggy dogs",
  cat: "kitten kittens kitty tomcat cats",
  horse: "pony foal mare stallion horses",
  cow: "bull ox calf cattle cows",
  bird: "sparrow pigeon dove parrot robin crow birds",
  white: "ivory cream pale",
  black: "dark ebony",
  grey: "gray silver",
  brown: "tan beige chestnut chocolate",
  orange: "ginger amber",
  yellow: "golden gold blond blonde",
  standing: "stands stood stand walking walks upright",
  sitting: "sits sat sit seated",
  "lying down": "lies lie laying lays resting rests sleeping sleeps asleep",
  jumping: "jumps jumped jump leaping leaps running runs",
  "spreading its wings": "flying flies fly flapping",
  "on the grass": "lawn meadow field garden park",
  "on the beach": "sand sandy sea seaside ocean shore coast",
  "in the snow": "snowy winter ice icy",
  "on a stone floor": "pavement street road tiles concrete terrace",
  "in a room": "indoors house home kitchen bedroom office",
  wearing: "wears wore worn dressed",
  hat: "cap hood crown helmet",
  scarf: "shawl tie collar",
  ball: "toy balloon football",
  with: "and plus holding has having",
  "next to": "beside near by",
  in: "at inside",
  smiling: "smiles happy laughing grinning grin",
  "with closed eyes": "blinking shut",
  "the head of": "face portrait",
  photo: "photograph picture image",
  drawing: "sketch drawn",
  watercolour: "watercolor painted aquarelle",
  facing: "looking looks towards toward",
};

/** Words of kinds that captions name: any word of the kind is as near as another. */
const kinds: readonly (readonly [words: string, known: readonly string[]])[] = [
  [
    "animal pet elephant lion tiger bear wolf fox deer sheep goat pig rabbit mouse monkey zebra donkey camel panda duck chicken owl fish",
    ANIMALS,
  ],
  ["purple pink violet turquoise magenta cyan lilac colourful colorful", COLOURS],
];

/** Words that a model of this world was trained on, and for other words the nearest ones: checkpoints/menagerie/words.json. */
export function knownWords(): { words: string[]; nearest: Record<string, string[]> } {
  const pairs = [...Object.entries(synonyms).map(([known, words]) => [words, [known]] as const), ...kinds].flatMap(
    ([words, known]) => words.split(" ").map((word): [string, string[]] => [word, [...known]]),
  );
  return { words: vocabulary(), nearest: Object.fromEntries(pairs.sort(([a], [b]) => (a < b ? -1 : 1))) };
}
