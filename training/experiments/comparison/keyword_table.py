"""The keywords that pictures are sorted by: what any of their captions must say.

Words stand for what Flickr8k's captions call such things. A picture may have several keywords, or
none.
"""

from collections.abc import Iterable

from training.experiments.captions.word_swaps import words_of

KEYWORDS = {
    "faces": "face faces smile smiles smiling grin grins grinning laughing frowning eyes mouth "
    "tongue beard makeup portrait closeup",
    "people": "people person crowd group couple team family someone somebody pedestrians adults",
    "men": "man men guy guys gentleman male males",
    "women": "woman women lady ladies female females",
    "children": "child children kid kids boy boys girl girls toddler toddlers baby babies",
    "dogs": "dog dogs puppy puppies greyhound greyhounds poodle terrier collie retriever",
    "other animals": "cat cats horse horses bird birds duck ducks seagull cow cows sheep goat "
    "monkey fish elephant camel animal animals",
    "sports": "football soccer baseball basketball tennis hockey rugby volleyball golf player "
    "players team teams game race racing racer athlete surfer surfing surfboard skier skiing skis "
    "snowboarder snowboarding skateboarder skateboarding skateboard wrestling gymnast",
    "wheels": "bike bikes bicycle bicyclist biker bikers cyclist cyclists motorcycle motorbike car "
    "cars truck bus scooter",
    "water": "water ocean sea lake river pool waves wave surf stream pond waterfall swimming "
    "splashing",
    "beach": "beach sand sandy shore shoreline",
    "snow": "snow snowy ice icy sled sledding skiing skier snowboarder snowboarding",
    "grass": "grass grassy lawn field meadow",
    "rocks": "rock rocks rocky cliff boulder mountain mountains climber climbing climbs",
    "street": "street road sidewalk city crosswalk traffic downtown pavement alley",
    "buildings": "building buildings house houses wall walls fence brick stairs steps bridge",
    "indoors": "indoors inside room couch sofa bed kitchen table carpet floor restaurant stage",
    "in the air": "air midair jumping jumps jump leaps leaping flying flies flip flips",
}


def keywords_of(captions: Iterable[str]) -> set[str]:
    """Return the keywords of a picture with these captions."""
    said = words_of(captions)
    return {name for name, words in KEYWORDS.items() if said & set(words.split())}
