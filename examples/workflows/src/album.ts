import { task, workflow } from "@aikirun/workflow";

const shrink = task({
  name: "shrink-photo",
  async handler(photo: number) {
    return { photo, bytes: 1_000 + ((photo * 7919) % 500) };
  },
});

/** Shrinks every photo of an album at the same time: one push runs all of them, one commit records them. */
export const albumV1 = workflow({ name: "photo-album" }).v("1.0.0", {
  async handler(run, input: { photos: number }) {
    const photos = Array.from({ length: input.photos }, (_, index) => index);
    const shrunk = await Promise.all(photos.map((photo) => shrink.start(run, photo)));
    return { photos: shrunk.length, bytes: shrunk.reduce((sum, { bytes }) => sum + bytes, 0) };
  },
});
