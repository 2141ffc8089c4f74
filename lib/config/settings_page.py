"""Generates docs/settings.md, the page of all settings, from the schema.

python -m lib.config.settings_page > docs/settings.md
"""

from lib.config.former_names import ALIASES, WITHOUT_EFFECT
from lib.config.schema import settings
from lib.config.setting import Setting

HEAD = """\
# Settings

All settings, for a YAML file (dots stand for nesting) or as `KEY VALUE` after the flags of a command.
An unknown key is an error that names the nearest one. Generated from `lib/config/schema.py` by `python -m lib.config.settings_page`.
"""


def page() -> str:
    """The page in Markdown."""
    groups: dict[str, list[str]] = {}
    for key, setting in settings().items():
        group = key.rpartition(".")[0]
        groups.setdefault(group, []).append(
            f"| `{key}` | `{_as_yaml(setting.default)}` | {_meaning(setting)} |"
        )
    parts = [HEAD]
    for group, lines in groups.items():
        parts += [
            f"## {group or 'The run'}\n",
            "| setting | default | meaning |",
            "|---|---|---|",
            *lines,
            "",
        ]
    parts += ["## Former names\n", "Accepted in place of the present ones, with a note in the log.\n",
              "| former | setting |", "|---|---|"]  # fmt: skip
    parts += [f"| `{former}` | `{key}` |" for former, key in ALIASES.items()]
    parts += ["\n## Without effect\n", "Keys of the original's files: accepted, and the log says so.\n",
              "| key | instead |", "|---|---|"]  # fmt: skip
    parts += [f"| `{key}` | {instead} |" for key, instead in WITHOUT_EFFECT.items()]
    return "\n".join(parts) + "\n"


def _as_yaml(default: object) -> str:
    """The default as YAML writes it."""
    if isinstance(default, bool):
        return str(default).lower()
    return "''" if default == "" else str(default)


def _meaning(setting: Setting) -> str:
    bounds = []
    if setting.choices:
        bounds.append(" or ".join(f"`{_as_yaml(choice)}`" for choice in setting.choices))
    if setting.minimum is not None:
        bounds.append(f"at least {setting.minimum:g}")
    if setting.maximum is not None:
        bounds.append(f"at most {setting.maximum:g}")
    text = setting.meaning.replace("|", "\\|")
    return f"{text} ({', '.join(bounds)})" if bounds else text


if __name__ == "__main__":
    print(page(), end="")
