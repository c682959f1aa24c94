import pytest

from captionfill.captions import check_caption
from captionfill.errors import InvalidCaption, InvalidField
from service.api.forms.inpaint_form import JSON, PNG, InpaintRequest, choose_media_type
from service.config.settings import Settings
from service.errors.requests import BodyTooLarge, InvalidWebhook, NotAcceptable

FORM = {"image": b"...", "caption": b"a cat"}


def test_only_image_and_caption_are_needed():
    request = InpaintRequest.from_form(FORM, Settings())
    assert (request.caption, request.seed, request.region, request.count) == (
        "a cat",
        None,
        None,
        1,
    )


@pytest.mark.parametrize("name", ["image", "caption"])
def test_a_missing_field_is_named(name):
    with pytest.raises(InvalidField, match=name):
        InpaintRequest.from_form({k: v for k, v in FORM.items() if k != name}, Settings())


def test_an_unknown_field_is_named():
    with pytest.raises(InvalidField, match="sede"):
        InpaintRequest.from_form({**FORM, "sede": b"1"}, Settings())


@pytest.mark.parametrize("seed", [b"-1", b"4294967296", b"1.0", b"", b"nan", b"\xff", b"1_0"])
def test_a_bad_seed_is_refused(seed):
    with pytest.raises(InvalidField, match="seed"):
        InpaintRequest.from_form({**FORM, "seed": seed}, Settings())


def test_the_largest_seed_is_taken():
    assert InpaintRequest.from_form({**FORM, "seed": b"4294967295"}, Settings()).seed == 2**32 - 1


@pytest.mark.parametrize("text", [b"-0.1", b"1.01", b"", b"nan", b"inf", b" 1", b"1_0", b"true"])
def test_a_bad_temperature_is_refused(text):
    with pytest.raises(InvalidField, match="temperature must be a number from 0 to 1"):
        InpaintRequest.from_form({**FORM, "temperature": text}, Settings())


@pytest.mark.parametrize(
    ("text", "read"), [(b"0", 0), (b"-0.0", 0), (b"0.25", 0.25), (b"5e-324", 5e-324), (b"1", 1)]
)
def test_a_temperature_is_read_as_json_writes_it(text, read):
    temperature = InpaintRequest.from_form({**FORM, "temperature": text}, Settings()).temperature
    assert temperature == read and str(temperature)[0] != "-"


@pytest.mark.parametrize("count", [b"0", b"9", b"two"])
def test_n_is_from_one_to_eight(count):
    with pytest.raises(InvalidField, match="n must be"):
        InpaintRequest.from_form({**FORM, "n": count}, Settings())


def test_a_picture_of_too_many_bytes_is_refused():
    with pytest.raises(BodyTooLarge):
        InpaintRequest.from_form({**FORM, "image": bytes(11)}, Settings(max_bytes=10))


@pytest.mark.parametrize("text", [None, "", " \n\t", "a\0cat", "a\x1bcat", "\ud800", "x" * 1001])
def test_a_bad_caption_is_refused(text):
    with pytest.raises(InvalidCaption):
        check_caption(text)


def test_a_caption_that_is_not_utf8_is_refused():
    with pytest.raises(InvalidCaption, match="UTF-8"):
        InpaintRequest.from_form({**FORM, "caption": b"caf\xe9"}, Settings())


def test_white_space_in_a_caption_is_tidied():
    assert check_caption(" a cat\r\n on\ta chair\n") == "a cat on a chair"


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [(None, PNG), ("*/*", PNG), ("image/*", PNG), ("application/json", JSON),
     ("application/json, image/png;q=0.5", JSON), ("text/html, */*;q=0.1", PNG),
     ("image/png;q=0, */*", JSON)],
)  # fmt: skip
def test_the_accept_header_chooses(accept, chosen):
    assert choose_media_type(accept, False) == chosen


@pytest.mark.parametrize("accept", ["text/html", "image/jpeg", "*/*;q=0", "nonsense"])
def test_another_media_type_is_not_acceptable(accept):
    with pytest.raises(NotAcceptable):
        choose_media_type(accept, False)


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "image/png, */*;q=0.1"])
def test_several_images_come_as_json_where_accepted(accept):
    assert choose_media_type(accept, True) == JSON


def test_several_pictures_do_not_fit_into_a_png():
    with pytest.raises(InvalidField, match="Accept: application/json"):
        choose_media_type("image/png", True)


def test_empty_webhook_is_refused():
    form = {"image": b"i", "caption": b"c", "webhook": b""}
    with pytest.raises(InvalidWebhook, match="empty"):
        InpaintRequest.from_form(form, Settings())


def test_fingerprint_covers_the_whole_request():
    base = {"image": b"i", "caption": "c"}
    more = [{"image": b"j"}, {"caption": "d"}, {"seed": 0}, {"region": "0,0,4,4"}, {"count": 2},
            {"other": "e"}, {"model": "m"}, {"webhook": "https://w"},
            {"temperature": 0.5}]  # fmt: skip
    prints = {InpaintRequest(**{**base, **one}).fingerprint() for one in [{}, *more]}
    assert len(prints) == 10
