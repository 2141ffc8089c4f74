"""A terminal of the plainest kind: what a person would see after the bytes that a program wrote."""

import fcntl
import os
import pty
import re
import struct
import sys
import termios
import threading
from contextlib import contextmanager

COLOUR = re.compile(r"\033\[\d*m")


class Screen:
    def __init__(self, written: str):
        self.written = written

    @property
    def coloured(self) -> bool:
        return bool(COLOUR.search(self.written))

    @property
    def lines(self) -> list[str]:
        """What is left to be seen at the end; spaces at the end of a line cannot be seen."""
        lines, row, column = [""], 0, 0
        for part in re.findall(r"\r|\n|\033\[A|[^\r\n\033]", COLOUR.sub("", self.written)):
            if part == "\r":
                column = 0
            elif part == "\n":
                row += 1
                lines += [""] * (row == len(lines))
            elif part == "\033[A":
                row -= 1
            else:
                lines[row] = lines[row][:column].ljust(column) + part + lines[row][column + 1 :]
                column += 1
        return [line.rstrip() for line in lines]

    @property
    def drawings(self) -> list[str]:
        """Everything that a progress bar ever showed."""
        return re.findall(r"\r([^\r\n\033]*\d+%\|[^\r\n\033]*)", COLOUR.sub("", self.written))


@contextmanager
def on_terminal(monkeypatch, streams=("stdout",), columns=200):
    """Within, ``streams`` of sys are a terminal; what it showed is in the list that this gives, afterwards."""
    monkeypatch.setenv("TERM", "xterm")
    main, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    heard, screens = [], []

    def listen():
        while True:
            try:
                part = os.read(main, 4096)
            except OSError:  # how Linux says that the other end is closed
                return
            if not part:
                return
            heard.append(part)

    listener = threading.Thread(target=listen)
    listener.start()
    try:
        with monkeypatch.context() as patch, open(end, "w", encoding="utf-8", buffering=1) as stream:
            for name in streams:
                patch.setattr(sys, name, stream)
            yield screens
    finally:
        listener.join(timeout=10)
        os.close(main)
        screens.append(Screen(b"".join(heard).decode()))
