"""Fill every picture of a data set by its caption: python map_dataset.py FOLDER OUT.

FOLDER has pictures and metadata.csv or metadata.jsonl with file_name and caption.
"""

import sys

from datasets import load_dataset

from captionfill import Inpainter


def fill_dataset(dataset, pipe):
    """Return the data set with a column of filled pictures, the same at each run."""

    def fill(row, number):
        return {"filled": pipe(row["image"].convert("RGB"), row["caption"], seed=number).image}

    return dataset.map(fill, with_indices=True)


if __name__ == "__main__":
    pictures = load_dataset("imagefolder", data_dir=sys.argv[1], split="train")
    fill_dataset(pictures, Inpainter.from_pretrained("default")).save_to_disk(sys.argv[2])
