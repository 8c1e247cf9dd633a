"""Ratings as histories: the planted ones found exactly, worked texts, nothing lost."""

import zipfile
from types import SimpleNamespace

import pandas as pd
import pytest
from samples import real_samples

from personalab.zipp.datasets import COLUMNS, invented_histories, movielens


@pytest.fixture(scope="module")
def real():
    return real_samples()


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ml")
    return folder, invented_histories.write_movielens(folder, n_users=25, n_films=90, per_user=30, seed=4)


def test_what_is_planted_is_found_exactly(planted):
    folder, counts = planted
    films = movielens.films(folder, [folder / "tmdb.csv"])
    assert len(films) == counts["films"] and films["overview"].isna().sum() == counts["without_text"]
    found = movielens.histories(folder, [folder / "tmdb.csv"], fewest=1, held_out=0)
    assert found.read == counts["ratings"] == len(found.table) + found.dropped.total()
    assert len(found.table) == counts["liked"]
    assert list(found.table.columns[: len(COLUMNS)]) == list(COLUMNS)


def test_histories_run_by_time_and_end_with_the_tests(planted):
    folder, _ = planted
    table = movielens.histories(folder, [folder / "tmdb.csv"], fewest=4, held_out=2).table
    for _, one in table.groupby("user"):
        assert one["time"].is_monotonic_increasing and one["order"].tolist() == list(range(len(one)))
        assert one["part"].tolist() == ["history"] * (len(one) - 2) + ["test"] * 2
    assert (table["rating"] >= 4).all() and (table["original"].str.split().str.len() <= 70).all()


def test_users_with_too_little_are_dropped_with_all_their_ratings_and_counted(planted):
    folder, counts = planted
    loose = movielens.histories(folder, [folder / "tmdb.csv"], fewest=1, held_out=0)
    sizes = loose.table.groupby("user").size()
    fewest = int(sizes.median()) + 1
    strict = movielens.histories(folder, [folder / "tmdb.csv"], fewest=fewest)
    assert set(strict.table["user"]) == set(sizes[sizes >= fewest].index)
    assert strict.dropped[f"user with fewer than {fewest} liked films"] == sizes[sizes < fewest].sum()
    assert strict.read == len(strict.table) + strict.dropped.total() == counts["ratings"]


def test_a_film_in_words_by_hand():
    film = SimpleNamespace(
        title="Heat", genres="Action, Crime", keywords="bank, los angeles", overview="A thief. A cop."
    )
    assert movielens.prompt(film) == "Heat. Action, Crime. bank, los angeles. A thief. A cop"
    assert movielens.prompt(film, words=4) == "Heat. Action, Crime. bank,"
    assert movielens.poster(film) == "a poster for the action film Heat"
    assert movielens.poster(SimpleNamespace(title="Heat", genres="")) == "a poster for the film Heat"


@pytest.mark.parametrize(
    ("title", "read"),
    [
        ("Matrix, The (1999)", "The Matrix"),
        ("City of Lost Children, The (Cité des enfants perdus, La) (1995)", "The City of Lost Children"),
        ("Toy Story (1995)", "Toy Story"),
        ("Babylon 5", "Babylon 5"),
        ("2001: A Space Odyssey (1968)", "2001: A Space Odyssey"),
        ("(500) Days of Summer (2009)", "Days of Summer"),
    ],
)
def test_titles_lose_year_and_other_names_and_get_their_article_back(title, read):
    assert movielens._title(title) == read


def test_the_first_table_with_a_text_wins_and_odd_cells_do_not_stop_it(tmp_path):
    movies = pd.DataFrame(
        {
            "movieId": [1, 2, 3],
            "title": ["A (1990)", "B", "C"],
            "genres": ["Drama", "(no genres listed)", "War"],
        }
    )
    movies.to_csv(tmp_path / "movies.csv", index=False)
    pd.DataFrame({"movieId": [1, 2, 3], "tmdbId": [10, 20, None]}).to_csv(tmp_path / "links.csv", index=False)
    one = pd.DataFrame(
        {"id": [10, 20], "overview": ["first", None], "keywords": ['[{"id": 1, "name": "sea"}]', "not json"]}
    )
    two = pd.DataFrame({"id": [10, 20], "overview": ["second", "only\n here"]})
    with zipfile.ZipFile(tmp_path / "one.csv.zip", "w") as archive:
        archive.writestr("__MACOSX/._one.csv", "shadow")
        archive.writestr("one.csv", one.to_csv(index=False))
    two.to_csv(tmp_path / "two.csv", index=False)
    films = movielens.films(tmp_path, [tmp_path / "one.csv.zip", tmp_path / "two.csv"])
    assert films["overview"].tolist()[:2] == ["first", "only here"] and films["overview"].isna().tolist() == [
        False,
        False,
        True,
    ]
    assert films["keywords"].tolist() == ["sea", "", ""] and films["genres"].tolist() == ["Drama", "", "War"]
    assert films["year"].tolist()[0] == 1990


def test_a_rating_that_is_missing_is_not_a_liked_one(tmp_path, planted):
    folder, _ = planted
    for name in ("movies", "links", "tmdb"):
        (tmp_path / f"{name}.csv").write_bytes((folder / f"{name}.csv").read_bytes())
    pd.DataFrame({"userId": [1, 1], "movieId": [1, 2], "rating": [None, 2.0], "timestamp": [5, 6]}).to_csv(
        tmp_path / "ratings.csv", index=False
    )
    found = movielens.histories(tmp_path, [tmp_path / "tmdb.csv"])
    assert len(found.table) == 0 and found.dropped.total() == found.read == 2


def test_settings_and_columns_that_cannot_be_are_named(planted, tmp_path):
    folder, _ = planted
    with pytest.raises(ValueError, match="held_out=5"):
        movielens.histories(folder, [], fewest=5, held_out=5)
    pd.DataFrame({"id": [1]}).to_csv(tmp_path / "t.csv")
    with pytest.raises(ValueError, match="overview"):
        movielens.films(folder, [tmp_path / "t.csv"])


def test_the_real_610_users(real):
    """Counts of the release: 610 users, 9,742 films of which 6,124 have an overview here, 100,836 ratings."""
    texts = [
        real / "tmdb_overviews" / name
        for name in ("tmdb_5000_movies.csv.zip", "tmdb_top_rated_movies.ml_subset.csv")
    ]
    folder = real / "movielens_latest_small"
    films = movielens.films(folder, texts)
    assert len(films) == 9742 and films["overview"].notna().sum() == 6124
    found = movielens.histories(folder, texts, fewest=1, held_out=0)
    assert found.read == 100_836 == len(found.table) + found.dropped.total()
    ratings = pd.read_csv(folder / "ratings.csv")
    assert ratings["userId"].nunique() == 610
    assert found.dropped["not liked"] == (ratings["rating"] < 4).sum()
    liked = ratings[
        (ratings["rating"] >= 4) & ratings["movieId"].isin(films.loc[films["overview"].notna(), "movie"])
    ]
    assert found.table["user"].nunique() == liked["userId"].nunique() >= 609
