import base64

import pytest

from captionfill.errors import UnsupportedPicture
from service.api.forms.upload_checks import check_picture, explain_mistake


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "image is an empty file"),
        (b"photo.jpg", "with curl, write -F image=@photo.jpg"),
        ("Bücher/Füchse 1.png\n".encode(), "-F image=@Bücher/Füchse 1.png"),
        (b"C:\\photos\\dog.jpg", "is the text 'C:"),
        (b"https://example.com/dog.jpg", "is a URL"),
        (b"data:image/png;base64,iVBORw0KGgo=", "is a data URL"),
        (base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(3000)), "is base64 text"),
        (base64.encodebytes(b"\xff\xd8\xff\xe0" + bytes(300)), "is base64 text"),
    ],
)
def test_what_is_no_file_is_named(data, message):
    with pytest.raises(UnsupportedPicture) as refused:
        check_picture("image", data)
    assert message in str(refused.value)


def test_a_long_text_is_cut():
    assert len(explain_mistake("image", b"x" * 255)) < 200


@pytest.mark.parametrize(
    "data",
    [
        b"<svg/>",
        b'{"a": 1}',
        b"x" * 2000,
        b"GIF89a\x01\0",
        b"\xff\xd8\xff",
        b"caf\xe9.jpg",
        b"a\nb",
    ],
)
def test_possible_files_are_left_to_the_decoder(data):
    check_picture("image", data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_pictures_pass(noise, encode, kind):
    check_picture("image", encode(noise(), kind))
