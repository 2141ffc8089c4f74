"""How each method is run on a trial: functions (trial, {method: settings}) -> {method: Outcome}."""

from benchmarks.evidence.outcome import Outcome, of_weights, outcome
from benchmarks.evidence.trial import Trained, Trial

RETRAIN_BELOW = 0.5  # unless LBI.RETRAIN is given


def train_mode(trial: Trial, wanted: dict[str, dict]) -> dict[str, Outcome]:
    """Train in a mode; if its retrained variant is wanted, too, it follows in the same run."""
    settings = next(iter(wanted.values()))
    retrained = f"{trial.mode}_retrained"
    if retrained in wanted:
        settings = {"LBI.RETRAIN": RETRAIN_BELOW} | settings
    done = trial.train(trial.mode, settings)
    outcomes = {trial.mode: outcome(done)}
    if (weights := f"{trial.mode}_weights") in wanted:
        outcomes[weights] = outcomes[trial.mode]._replace(ranking=of_weights(done), described=None)
    if retrained in wanted:
        again = Trained(done.results["retrained"], done.config, done.data)
        outcomes[retrained] = outcome(again, before=done)
    return outcomes


def train_oracle(trial: Trial, wanted: dict[str, dict]) -> dict[str, Outcome]:
    """Train without the wrong labels, which are known."""
    ((name, settings),) = wanted.items()
    done = trial.train(trial.mode, settings, lambda data: ~data.source_truth.corrupted)
    return {name: outcome(done)._replace(ranking=None)}  # nothing is detected
