"""A node for ComfyUI: fill the mask of an image by a caption.

Copy this folder to ComfyUI/custom_nodes/captionfill, and install captionfill into its Python.
"""

import numpy as np
import torch
from PIL import Image

from captionfill import Inpainter


class CaptionFill:
    """Images are float (B, H, W, 3) from 0 to 1; masks (B, H, W), filled where over a half."""

    CATEGORY = "inpaint"
    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "fill"
    pipe = None  # loaded at the first use

    @classmethod
    def INPUT_TYPES(cls):  # noqa: N802 - ComfyUI's name
        return {
            "required": {
                "image": ("IMAGE",),
                "mask": ("MASK",),
                "caption": ("STRING", {"multiline": True}),
                "seed": ("INT", {"default": 7, "min": 0, "max": 2**32 - 1}),
                "temperature": ("FLOAT", {"default": 1.0, "min": 0.0, "max": 1.0, "step": 0.05}),
            },
            "optional": {"bundle": ("STRING", {"default": "default"})},
        }

    def fill(self, image, mask, caption, seed, temperature, bundle="default"):
        if self.pipe is None or self.loaded != bundle:
            self.pipe, self.loaded = Inpainter.from_pretrained(bundle), bundle
        masks = mask.reshape(-1, *mask.shape[-2:]).expand(len(image), -1, -1)
        filled = []
        for one, hole in zip(image, masks, strict=True):
            pixels = (one[..., :3] * 255).round().byte().cpu().numpy()
            alpha = np.where(hole.cpu().numpy() > 0.5, 0, 255).astype(np.uint8)
            photo = Image.fromarray(np.dstack([pixels, alpha]))  # transparent: to be filled
            made = self.pipe(pixels, caption, mask=photo, seed=seed, temperature=temperature)
            filled.append(torch.from_numpy(np.array(made.image.convert("RGB"))) / 255)
        return (torch.stack(filled),)


NODE_CLASS_MAPPINGS = {"CaptionFill": CaptionFill}
NODE_DISPLAY_NAME_MAPPINGS = {"CaptionFill": "Fill by a caption"}
