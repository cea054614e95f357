"""Textual's terminal driver, for an application that may be stopped and continued by others."""

from __future__ import annotations

from textual.drivers.linux_driver import LinuxDriver


class TerminalDriver(LinuxDriver):
    """Begins anew after SIGCONT, whatever came before it.

    Textual's own takes SIGCONT for the end of ctrl+z. After SIGSTOP, or with no stop at all, it
    would start a second thread that reads keys beside the first: the two share them out, and the
    one that is forgotten keeps the process alive when the application is quit. It would also take
    the raw mode for the terminal's own, and leave it behind.
    """

    def _sigcont_application(self, *_: object) -> None:
        if self._must_signal_resume:
            super()._sigcont_application()
        elif self._loop.is_running():
            # Not here: what a signal interrupts may hold the lock that writing waits for.
            self._loop.call_soon_threadsafe(self._begin_anew)

    def _begin_anew(self) -> None:
        reading = self._key_thread is not None and self._key_thread.is_alive()
        if self._auto_restart and reading:
            self.suspend_application_mode()
            self.resume_application_mode()
