"""VPTT-Bench by grammar: personas P = (d, E, C) from seed sentences (VPTT 3.1, 9; the offline backend).

Vocabulary follows place, occupation and interests, never ethnicity or gender. Elements of one post do not
contradict each other in setting, time or weather. Everything is drawn from a generator keyed by the bench seed and
the persona's number, so persona 17 is the same alone, among ten or among ten thousand. What a grammar cannot do is
surprise; the stages written by a language model share these records.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ...records import Demographics, Persona, Post
from . import grammar
from .demographics import complete, pick, sample, summary
from .gazetteer import regions
from .grammar.captions import Material, caption, scenario
from .grammar.templates import starts_with_vowel
from .seeds import Seed, seed_index
from .vocabulary import Vocabulary, choose_elements, draw_preferences, draw_vocabulary, parse

#: VPTT 9.4: shares of the kinds of post
KINDS = {"activity": 0.35, "appreciation": 0.25, "shared": 0.25, "selfie": 0.15}
#: VPTT 9.5: personas with fewer valid posts are dropped
FEWEST_POSTS = 10
#: captions that may be longer than this many words get three entries per category instead of one
LONG = 120


def own_seeds(n: int, seed: int = 0) -> list[bytes]:
    """n distinct seed lines of the project's own, in PersonaHub's format, read by the same parser as any other."""
    rng = np.random.default_rng([seed, 1])
    families, interests = grammar.load("occupations"), grammar.load("interests")
    cities = [city["city"] for region in regions().values() for city in region["cities"]]
    lines: dict[str, None] = {}
    while len(lines) < n:
        title = pick(rng, families[pick(rng, families)]["titles"])
        clause = interests[pick(rng, interests)]["clause"]
        article = "An" if starts_with_vowel(title) else "A"
        lines[f'{{"persona": "{article} {title} from {pick(rng, cities)} {clause}."}}'] = None
    return [line.encode() for line in lines]


def generate(
    seeds: Sequence[Seed],
    n: int,
    *,
    seed: int = 0,
    posts: int = 30,
    words: tuple[int, int] = (60, 90),
    rule: str = "sha256",
    log: list[list[str]] | None = None,
) -> Iterator[Persona]:
    """n personas, one at a time; those with fewer than 10 valid posts are left out (VPTT 9.5).

    Args:
        seeds: usable seeds; persona i takes number seed_index(i, len(seeds), rule) (Eq. 2).
        seed: of the bench.
        posts: per persona (VPTT: 30).
        words: shortest and longest caption (VPTT: 150 to 250).
        rule: of Eq. 2's hash.
        log: the sentence templates of every caption are appended here, for `captions.template_shares`.

    Raises:
        ValueError: no seeds.
    """
    if not seeds:
        raise ValueError("got no seeds; pass what read_seeds kept, or parse_lines(own_seeds(n)).kept")
    for i in range(n):
        persona = make_persona(
            seeds[seed_index(i, len(seeds), rule)], i, seed=seed, posts=posts, words=words, log=log
        )
        if len(persona.posts) >= min(FEWEST_POSTS, posts):
            yield persona


def make_persona(
    source: Seed,
    i: int,
    *,
    seed: int = 0,
    posts: int = 30,
    words: tuple[int, int] = (60, 90),
    log: list[list[str]] | None = None,
) -> Persona:
    """Persona number i from one seed sentence."""
    rng = np.random.default_rng([seed, 0, i])
    d, region, family, sources = complete(source, rng)
    vocabulary = draw_vocabulary(d, region, family, rng)
    preferences, liked = draw_preferences(vocabulary, rng)
    made = write_posts(d, vocabulary, preferences, posts, words, rng, [] if log is None else log)
    likes = liked | _implied_interests(d)
    return assemble(i, source, d, vocabulary, preferences, made, sources, likes)


def assemble(
    i: int,
    source: Seed,
    d: Demographics,
    vocabulary: Vocabulary,
    preferences: list[str],
    posts: list[Post],
    sources: Mapping[str, str],
    likes: Mapping[str, dict[str, str]],
) -> Persona:
    """P = (d, E, C) as one record; entries that no post shows are pruned (VPTT 9.4).

    Args:
        likes: preference or interest -> what it implies in the miniature world.
    """
    used = {(k, e) for post in posts for k, entries in post.elements.items() for e in entries}
    kept_by = {k: [e for e in entries if (k, e) in used] for k, entries in vocabulary.elements.items()}
    elements = {k: entries for k, entries in kept_by.items() if entries}
    kept = {e for entries in elements.values() for e in entries}
    return Persona(
        id=f"p{i:05d}",
        seed=source.text,
        demographics=d,
        summary=summary(d),
        elements=elements,
        preferences=preferences,
        posts=posts,
        sources=dict(sources),
        implies={e: values for e, values in vocabulary.implies.items() if e in kept} | dict(likes),
    )


def write_posts(
    d: Demographics,
    vocabulary: Vocabulary,
    preferences: Sequence[str],
    n: int,
    words: tuple[int, int],
    rng: np.random.Generator,
    log: list[list[str]],
) -> list[Post]:
    """Up to n posts: kinds in the paper's shares, elements that fit together, a caption that names them.

    A post whose material cannot fill a caption of the wanted length is left out.
    """
    templates: Counter[str] = Counter()
    shown: Counter[str] = Counter()
    out = []
    each = 1 if words[1] <= LONG else 3
    for kind in kinds(n, rng):
        material = Material(
            kind, choose_elements(vocabulary, kind, shown, rng, each), _context(d, preferences, each, rng)
        )
        try:
            written = caption(material, rng, templates, words)
            line = scenario(material._replace(elements=written.elements), rng)
        except ValueError:
            continue
        out.append(Post(kind=kind, scenario=line, caption=written.text, elements=written.elements))
        log.append(written.templates)
        shown.update(entry for entries in written.elements.values() for entry in entries)
    return out


def kinds(n: int, rng: np.random.Generator) -> list[str]:
    """n kinds by largest remainder, equal remainders decided by lot, in random order."""
    exact = np.array(list(KINDS.values())) * n
    counts = np.floor(exact).astype(int)
    order = np.lexsort((rng.random(len(counts)), -(exact - counts).round(9)))
    counts[order[: n - counts.sum()]] += 1
    return [str(kind) for kind in rng.permutation(np.repeat(list(KINDS), counts))]


def _context(
    d: Demographics, preferences: Sequence[str], each: int, rng: np.random.Generator
) -> dict[str, str | list[str]]:
    character = grammar.load("character")
    return {
        "city": d.city,
        "neighbourhood": d.neighbourhood,
        "country": d.country,
        "occupation": d.occupation,
        "interest": sample(rng, d.interests, each),
        "preference": sample(rng, preferences, each),
        "camera": d.camera,
        "season": sample(rng, character["seasons"], each),
        "companion": pick(rng, character["companions"]),
        "person": d.name.split()[0],
    }


def _implied_interests(d: Demographics) -> dict[str, dict[str, str]]:
    by_name = {entry["name"]: entry for entry in grammar.load("interests").values()}
    return {name: parse(f"{name} | {by_name[name].get('implies', '')}")[1] for name in d.interests}
