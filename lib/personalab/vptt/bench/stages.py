"""VPTT-Bench by a language model: the stages of VPTT 9.2 to 9.4, with any backend that answers chats.

Origin, person, three facets of vocabulary, preferences, scenarios and captions are asked for one after another, each
for a whole batch of personas at once, and every answer must have its form. A persona without one of the first four is
dropped, a post without scenario or caption is left out, and with fewer than 10 valid posts the persona is dropped too;
each with its reason. The model is passed in; if it keeps a ledger, a run that was killed asks only what is missing.
What the model claims (that an entry belongs to the region, that a place is implied) is taken over, not verified.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ...backends.templates import render
from ...records import Demographics
from ...world.words import spelt
from . import drafts, places
from .answers import Answered, Described, Facet, Origin, Person, Preferences, Scenarios
from .asking import Model, Question, Reading, ask
from .demographics import draw_ethnicity, ethnicities, settle
from .drafts import CATEGORIES, Draft, Outcome, stands_in
from .facts import names_gender
from .gazetteer import Place, country_of
from .seeds import Seed, seed_index
from .slots import batches

#: a draft, the fields of the prompt, what the answer is compared with
_Asked = tuple[Draft, Mapping[str, Any], Mapping[str, Any]]


class Writer:
    """Personas by a language model.

    Args:
        llm: answers chats (backends.llm.LLM); for all stages but the scenarios.
        scenarios: the model that invents scenarios; VPTT 9.4 has it at temperature 0.9. None takes `llm` for them too.
        seed: of the bench: kinds, times and seasons of posts, re-mapped places, the order of what is offered.
        posts: per persona (VPTT: 30).
        words: shortest and longest caption (VPTT: 150 to 250).
        prompts: variant of the prompts in params/prompts, "full" or "brief".
        rates: share of supposed places moved away, by area (VPTT 9.2.2).
        implied: texts to what each implies in the miniature world; None reads the world's own words.
    """

    def __init__(
        self,
        llm: Model,
        *,
        scenarios: Model | None = None,
        seed: int = 0,
        posts: int = 30,
        words: tuple[int, int] = (150, 250),
        prompts: str = "full",
        rates: Mapping[str, float] = places.RATES,
        implied: Callable[[Sequence[str]], list[dict[str, str]]] | None = None,
    ):
        self.llm, self.scenario_llm = llm, scenarios or llm
        self.seed, self.posts, self.words, self.prompts, self.rates = seed, posts, words, prompts, rates
        self._implied = implied or (lambda texts: [spelt(text) for text in texts])

    def write(
        self, seeds: Sequence[Seed], n: int, rule: str = "sha256", batch: int = 100
    ) -> Iterator[Outcome]:
        """n outcomes in order, kept and dropped alike, `batch` personas asked about at a time (VPTT 9.5: 10 to 200).

        Raises:
            ValueError: no seeds.
        """
        if not seeds:
            raise ValueError("got no seeds; pass what read_seeds kept")
        stages = (self._origins, self._people, self._facets, self._habits, self._plan, self._describe)
        for first in range(0, n, batch):
            numbers = range(first, min(first + batch, n))
            begun = [
                drafts.begin(i, seeds[seed_index(i, len(seeds), rule)], self.posts, self.seed)
                for i in numbers
            ]
            for stage in stages:
                stage([draft for draft in begun if draft.reason is None])
            yield from (drafts.finish(draft, self._implied) for draft in begun)

    def _origins(self, begun: Sequence[Draft]) -> None:
        """Stage 1a: place, group and gender; gender only where a word of the seed states it."""
        groups = ethnicities()
        context = {"ethnicities": groups, "country": country_of}
        asked = [(draft, {"seed": draft.seed.text, "ethnicities": groups}, context) for draft in begun]
        for draft, origin in self._needed("no origin", "bench_origin", Origin, asked):
            self._locate(draft, origin)
            word, text = origin.gender_words, draft.seed.text
            stated = stands_in(word, text) and names_gender(word, origin.gender)
            draft.given["gender"] = origin.gender if stated else "unknown"

    def _locate(self, draft: Draft, origin: Origin) -> None:
        """The place as stated, supposed or moved, and an ethnicity that goes with it."""
        said = Place(origin.country, origin.city) if origin.country else None
        grounded = origin.place_basis != "guess" and stands_in(origin.place_words, draft.seed.text)
        moved = places.move(said, draft.number, self.seed, self.rates) if said and not grounded else None
        draft.place, draft.region = settle(moved or said, draft.rng)
        drawn = draw_ethnicity(draft.region, draft.rng)
        draft.given["ethnicity"] = origin.ethnicity if origin.ethnicity and said and not moved else drawn
        draft.notes |= {"place": origin.place_basis if grounded else "guess", "country said": origin.country}
        draft.notes["moved to"] = moved.country if moved else None

    def _people(self, begun: Sequence[Draft]) -> None:
        """Stage 1b: all other attributes."""
        asked = [
            (draft, {"seed": draft.seed.text, "gender": draft.given["gender"]} | drafts.label(draft), {})
            for draft in begun
        ]
        for draft, person in self._needed("no person", "bench_person", Person, asked):
            draft.d = Demographics(**person.model_dump(), **draft.given, **drafts.label(draft))

    def _facets(self, begun: Sequence[Draft]) -> None:
        """E: one facet after another, so that none repeats what another has."""
        for facet in CATEGORIES:
            asked = [(draft, *drafts.about_facet(draft, facet)) for draft in begun if draft.reason is None]
            for draft, value in self._needed("no elements", "bench_elements", Facet, asked):
                for item in value.entries:
                    draft.vocabulary.setdefault(item.category, []).append(item.text)

    def _habits(self, begun: Sequence[Draft]) -> None:
        asked = [(draft, *drafts.about_habits(draft)) for draft in begun]
        for draft, value in self._needed("no preferences", "bench_preferences", Preferences, asked):
            draft.preferences = value.preferences

    def _plan(self, begun: Sequence[Draft]) -> None:
        """Scenarios in batches of 6 to 8; a later batch is told the lines of the earlier ones."""
        for part in batches(self.posts):
            asked = [(draft, *drafts.about_scenarios(draft, part)) for draft in begun]
            readings = self._ask(self.scenario_llm, "bench_scenarios", Scenarios, asked)
            for draft, reading in zip(begun, readings, strict=True):
                if reading.value is None:
                    drafts.leave_out(draft, "no scenario", len(part))
                else:
                    draft.scenarios |= dict(zip(part, reading.value.scenarios, strict=True))

    def _describe(self, begun: Sequence[Draft]) -> None:
        """A caption for every scenario, and the entries it shows."""
        numbers = [(draft, j) for draft in begun for j in draft.scenarios]
        asked = [(draft, *drafts.about_post(draft, j, self.words, self.seed)) for draft, j in numbers]
        readings = self._ask(self.llm, "bench_caption", Described, asked)
        for (draft, j), (_, _, context), reading in zip(numbers, asked, readings, strict=True):
            told = {post.caption for post in draft.posts.values()}
            if reading.value is None:
                drafts.leave_out(draft, "no caption")
            elif reading.value.caption in told:
                drafts.leave_out(draft, "a caption told before")
            else:
                drafts.add_post(draft, j, reading.value.caption, reading.value.shown(context["entries"]))

    def _needed(
        self, reason: str, prompt: str, form: type[Answered], asked: Sequence[_Asked]
    ) -> Iterator[tuple[Draft, Any]]:
        """(draft, value) where there is one; the other drafts end here, for the reason."""
        for (draft, *_), reading in zip(asked, self._ask(self.llm, prompt, form, asked), strict=True):
            if reading.value is None:
                draft.reason, draft.detail = reason, reading.reason
            else:
                yield draft, reading.value

    def _ask(self, llm: Model, prompt: str, form: type[Answered], asked: Sequence[_Asked]) -> list[Reading]:
        """One reading per row, in order; how often was asked again is noted."""
        questions = [
            Question(render(prompt, self.prompts, **fields), form, context) for _, fields, context in asked
        ]
        readings = ask(llm, questions, self._complaint)
        for (draft, *_), reading in zip(asked, readings, strict=True):
            draft.notes["asked again"] += reading.reasked
        return readings

    def _complaint(self, reason: str) -> str:
        return render("bench_again", self.prompts, reason=reason)[-1][1]
