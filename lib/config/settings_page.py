"""The page of all settings, docs/settings.md, made from the schema.

python -m lib.config.settings_page > docs/settings.md
"""

from lib.config.loader import settings
from lib.config.schema import WITHOUT_EFFECT, Setting

HEAD = """\
# Settings

Every setting, as it may stand in a YAML file (nested by the dots) or follow a command's flags as `KEY VALUE`.
Unknown ones are errors that name the nearest. Made from `lib/config/schema.py` by `python -m lib.config.settings_page`.
"""


def page() -> str:
    groups: dict[str, list[str]] = {}
    for key, setting in settings().items():
        group = key.rpartition(".")[0]
        groups.setdefault(group, []).append(
            f"| `{key}` | `{_shown(setting.default)}` | {_meaning(setting)} |"
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
    parts += ["## Without effect\n", "Keys of the original's files: accepted, and the log says so.\n",
              "| key | instead |", "|---|---|"]  # fmt: skip
    parts += [f"| `{key}` | {instead} |" for key, instead in WITHOUT_EFFECT.items()]
    return "\n".join(parts) + "\n"


def _shown(default: object) -> str:
    """As YAML has it."""
    if isinstance(default, bool):
        return str(default).lower()
    return "''" if default == "" else str(default)


def _meaning(setting: Setting) -> str:
    bounds = []
    if setting.choices:
        bounds.append(" or ".join(f"`{choice}`" for choice in setting.choices))
    if setting.minimum is not None:
        bounds.append(f"at least {setting.minimum:g}")
    if setting.maximum is not None:
        bounds.append(f"at most {setting.maximum:g}")
    text = setting.meaning.replace("|", "\\|")
    return f"{text} ({', '.join(bounds)})" if bounds else text


if __name__ == "__main__":
    print(page(), end="")
