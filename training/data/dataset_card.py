"""Cards of prepared data, with the metadata that the Hugging Face Hub reads."""

from huggingface_hub import DatasetCardData

from training.data.manifest import Manifest

CARD = "README.md"

DATA_TERMS = {
    "flickr8k": "Flickr8k (Hodosh, Young, Hockenmaier 2013): non-commercial research and education",
    "tiny-imagenet": "Tiny ImageNet (Stanford CS231n): non-commercial research and education",
    "coco": "MS-COCO: captions CC BY 4.0; pictures under their own Flickr licences",
    "cifar10": "CIFAR-10 (Krizhevsky 2009): no licence is stated; cite the technical report",
    "mnist": "MNIST (LeCun, Cortes, Burges): CC BY-SA 3.0",
    "celeba": "CelebA (Liu, Luo, Wang, Tang 2015): non-commercial research",
    "folder": "the user's own pictures: their terms apply",
}
# Size classes of the Hub, each with the number of rows that it ends below.
SIZES = (("n<1K", 1e3), ("1K<n<10K", 1e4), ("10K<n<100K", 1e5), ("100K<n<1M", 1e6))
COLUMNS = """| column | content |
| --- | --- |
| `image` | the picture, PNG |
| `file_name`, `label` | of the source; a label may be empty |
| `captions` | list of texts |
| `caption_vectors` | list of their sentence embeddings, float16 |"""


def dataset_card(manifest: Manifest) -> str:
    """Return the Markdown of a prepared folder's `README.md`, without a path of this machine."""
    splits = "\n".join(
        f"| {name} | {count['images']:,} | {count['captions']:,} |"
        for name, count in manifest.splits.items()
    )
    return f"""---
{metadata(manifest).to_yaml()}
---

# {manifest.source}, prepared for captionfill

Pictures of {manifest.size}×{manifest.size} pixels with captions and their sentence embeddings.
Made by `captionfill-train prepare` {manifest.version}; loads with `datasets.load_dataset`.

| split | images | captions |
| --- | --- | --- |
{splits}

{len(manifest.passed_over):,} items of the source were skipped; `manifest.json` lists them with the
reasons.

## Columns

{COLUMNS}

The embeddings have {manifest.caption_dim} numbers and are of the encoder `{encoder_name(manifest)}`
(`{manifest.encoder_fingerprint}`).

## Terms

{DATA_TERMS.get(manifest.source, manifest.source)}

## Digest

`{manifest.digest}`
"""


def metadata(manifest: Manifest) -> DatasetCardData:
    """Return the metadata of the card."""
    images = sum(count["images"] for count in manifest.splits.values())
    return DatasetCardData(
        language="en",
        license="other",
        license_name="terms-of-the-source",
        task_categories=["image-to-image", "text-to-image"],
        size_categories=[size_class(images)],
        pretty_name=f"{manifest.source} for captionfill",
        tags=["captionfill", "inpainting"],
    )


def size_class(images: int) -> str:
    """Return the Hub's class of a number of rows."""
    return next((name for name, end in SIZES if images < end), "1M<n<10M")


def encoder_name(manifest: Manifest) -> str:
    """Return the encoder's name; of a folder, its last part."""
    return manifest.encoder.rstrip("/").rpartition("/")[2] or manifest.encoder
