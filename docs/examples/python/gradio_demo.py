"""A page by Gradio: paint over a part of a photo, say what the whole shows, get three fills.

pip install '.[examples]' && python docs/examples/python/gradio_demo.py
"""

import gradio as gr

from captionfill import Inpainter

pipe = Inpainter.from_pretrained("default")


def fill(painted, caption, compare, seed):
    photo, layer = painted["background"].convert("RGB"), painted["layers"][0]
    photo.putalpha(layer.getchannel("A").point(lambda painted: 0 if painted else 255))
    result = pipe(photo, caption, mask=photo, compare=compare or None, seed=int(seed), n=3)
    return [(image.convert("RGB"), caption) for image in result.images] + [
        (image.convert("RGB"), compare) for image in result.others
    ]


demo = gr.Interface(
    fill,
    [gr.ImageEditor(type="pil"), "text", gr.Text(label="second caption"), gr.Number(7)],
    gr.Gallery(),
    title="Fill by a caption",
)

if __name__ == "__main__":
    demo.launch(server_name="127.0.0.1", show_error=True)
