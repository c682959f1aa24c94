import pytest

from captionfill.captions import check_caption
from captionfill.errors import CaptionfillError, InvalidCaption, InvalidField
from captionfill.imaging.encoder import JPEG, PNG, WEBP
from captionfill.imaging.region import parse_region
from service.api.forms.form import InpaintRequest
from service.api.forms.headers import JSON, choose_media_type
from service.api.prepared_request import compute_digest
from service.errors.requests import NotAcceptable

FORM = {"image": b"...", "caption": b"a cat"}
WHOLE = (16, 16, 32, 32)


def test_only_image_and_caption_are_needed():
    request = InpaintRequest.check(FORM)
    assert (request.caption, request.seed, request.region, request.n) == ("a cat", None, None, 1)


@pytest.mark.parametrize("name", ["image", "caption"])
def test_a_missing_field_is_named(name):
    with pytest.raises(InvalidField, match=name):
        InpaintRequest.check({k: v for k, v in FORM.items() if k != name})


def test_an_unknown_field_is_named():
    with pytest.raises(InvalidField, match="sede"):
        InpaintRequest.check({**FORM, "sede": b"1"})


@pytest.mark.parametrize(
    "seed", [b"-2", b"-01", b"4294967296", b"1.0", b" ", b"nan", b"\xff", b"1_0"]
)
def test_a_bad_seed_is_refused(seed):
    with pytest.raises(InvalidField, match="seed"):
        InpaintRequest.check({**FORM, "seed": seed})


def test_seed_minus_one_is_random():
    assert InpaintRequest.check({**FORM, "seed": b"-1"}).seed is None


def test_the_largest_seed_is_taken():
    assert InpaintRequest.check({**FORM, "seed": b"4294967295"}).seed == 2**32 - 1


@pytest.mark.parametrize("text", [b"-0.1", b"1.01", b" ", b"nan", b"inf", b" 1", b"1_0", b"true"])
def test_a_bad_temperature_is_refused(text):
    with pytest.raises(InvalidField, match="temperature must be a number from 0 to 1"):
        InpaintRequest.check({**FORM, "temperature": text})


@pytest.mark.parametrize(
    ("text", "read"), [(b"0", 0), (b"-0.0", 0), (b"0.25", 0.25), (b"5e-324", 5e-324), (b"1", 1)]
)
def test_a_temperature_is_read_as_json_writes_it(text, read):
    temperature = InpaintRequest.check({**FORM, "temperature": text}).temperature
    assert temperature == read and str(temperature)[0] != "-"


@pytest.mark.parametrize("count", [b"0", b"9", b"two"])
def test_n_is_from_one_to_eight(count):
    with pytest.raises(InvalidField, match="n must be"):
        InpaintRequest.check({**FORM, "n": count})


@pytest.mark.parametrize("text", ["", " \n\t", "a\0cat", "a\x1bcat", "\ud800", "x" * 1001])
def test_a_bad_caption_is_refused(text):
    with pytest.raises(InvalidCaption):
        check_caption(text)


def test_a_caption_that_is_not_utf8_is_refused():
    with pytest.raises(InvalidCaption, match="UTF-8"):
        InpaintRequest.check({**FORM, "caption": b"caf\xe9"})


def test_white_space_in_a_caption_is_tidied():
    assert check_caption(" a cat\r\n on\ta chair\n") == "a cat on a chair"


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [(None, PNG), ("*/*", PNG), ("image/*", PNG), ("application/json", JSON),
     ("application/json, image/png;q=0.5", JSON), ("text/html, */*;q=0.1", PNG),
     ("image/png;q=0, */*", JSON), ("image/webp", WEBP), ("image/jpeg", JPEG),
     ("image/jpeg, image/webp;q=0.9, */*;q=0.1", JPEG)],
)  # fmt: skip
def test_the_accept_header_chooses(accept, chosen):
    assert choose_media_type(accept, False) == chosen


@pytest.mark.parametrize("accept", ["text/html", "image/avif", "*/*;q=0", "nonsense"])
def test_another_media_type_is_not_acceptable(accept):
    with pytest.raises(NotAcceptable):
        choose_media_type(accept, False)


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "image/png, */*;q=0.1"])
def test_several_images_come_as_json_where_accepted(accept):
    assert choose_media_type(accept, True) == JSON


def test_several_pictures_do_not_fit_into_a_png():
    with pytest.raises(InvalidField, match="Accept: application/json"):
        choose_media_type("image/png", True)


def test_empty_optional_fields_count_as_absent():
    empty = {name: b"" for name in InpaintRequest.names() if name not in FORM}
    assert len(empty) == 11
    assert InpaintRequest.check({**FORM, **empty}) == InpaintRequest.check(FORM)


@pytest.mark.parametrize("name", ["compare", "region"])
def test_white_space_is_no_empty_field(name):
    with pytest.raises(CaptionfillError):
        parse_region(InpaintRequest.check({**FORM, name: b" "}).region)


def test_digest_covers_everything_that_decides_the_result():
    base = {"image": b"i", "caption": "c"}
    more = [
        {"image": b"j"},
        {"caption": "d"},
        {"n": 2},
        {"compare": "e"},
        {"temperature": 0.5},
        {"detail": "none"},
    ]
    requests = [InpaintRequest(**{**base, **one}) for one in [{}, *more]]
    digests = {compute_digest(request, WHOLE, None) for request in requests}
    plain = requests[0]
    digests |= {compute_digest(plain, (0, 0, 4, 4), None), compute_digest(plain, WHOLE, b"mask")}
    assert len(digests) == 9


def test_digest_is_of_the_result_alone():
    base = {"image": b"i", "caption": "c"}
    more = [
        {"seed": 1},
        {"webhook": "https://w"},
        {"model": "m"},
        {"temperature": 1},
        {"detail": "surroundings"},
    ]
    requests = [InpaintRequest(**{**base, **one}) for one in [{}, *more]]
    digests = {compute_digest(request, WHOLE, None) for request in requests}
    assert len(digests) == 1
