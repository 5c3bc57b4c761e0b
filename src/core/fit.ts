/**
 * Ways to fit a photo to the model's size. crop: uses the centre. pad: uses all of it and continues its edges. stretch: uses
 * all of it and changes its shape. paste: uses the centre, and pastes the edit back into the photo with a soft border. whole:
 * uses all of it as pad does, and resizes the edit to the photo's own size.
 */
export const fits = ["crop", "pad", "stretch", "paste", "whole"] as const;
export type Fit = (typeof fits)[number];
