# Terminals: each a PTY with what it printed last, read by any number of readers from any position, alive while nobody looks.
KEEP = 1024 * 1024
LAG = 768 * 1024
SCREEN = re.compile(rb"\x1b\[\?(?:1049|1047|47)([hl])")
SIGNALS = {"INT": signal.SIGINT, "TERM": signal.SIGTERM, "KILL": signal.SIGKILL}


def resize(fd, columns, rows):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


class Reader:
    """One who follows a terminal: bytes from a position on, and events at their places between them."""

    def __init__(self, terminal, channel, after):
        self.terminal, self.channel = terminal, channel
        self.at = max(min(after, terminal.end), terminal.start)
        self.events = [event for event in terminal.events if event[0] > after]
        channel.work = self
        channel.tell({"at": self.at})
        terminal.readers.append(self)
        if terminal.waiting:
            self.events.append((terminal.end, {"waiting": terminal.waiting}))
        self.update()
        terminal.soon()

    def update(self):
        terminal, channel = self.terminal, self.channel
        while True:
            while self.events and self.events[0][0] <= self.at:
                channel.tell(self.events.pop(0)[1])
            until = min(terminal.end, self.events[0][0] if self.events else terminal.end)
            count = min(until - self.at, channel.credit, PIECE)
            if count <= 0:
                break
            if channel.link.size >= HIGH:
                channel.link.stalled.add(self)
                break
            first = self.at - terminal.start
            channel.data(0, bytes(terminal.ring[first : first + count]))
            self.at += count
        if terminal.over and self.at >= terminal.end and not self.events:
            self.leave()
            return channel.close({})
        terminal.flow()

    credit = update

    def leave(self):
        if self in self.terminal.readers:
            self.terminal.readers.remove(self)

    def gone(self):
        self.leave()
        self.channel.close({})
        self.terminal.flow()


class Typing:
    def __init__(self, terminal, channel):
        self.terminal, self.channel, channel.work = terminal, channel, self

    def data(self, stream, piece):
        self.terminal.type(piece, self.channel)

    def end(self, stream):
        self.channel.close({})

    gone = lambda self: self.channel.close({})


class Terminal:
    def __init__(self, inside, ask):
        self.inside, self.loop, self.id, self.ask = inside, inside.loop, ask["id"], ask
        self.ring, self.start, self.events, self.readers, self.closers = bytearray(), 0, [], [], []
        self.started, self.active, self.waiting, self.answered = time.time(), time.monotonic(), None, True
        self.over, self.other_screen, self.looking, self.pause, self.mark, self.held = False, False, None, 0.03, None, b""
        self.is_shell, self.typed = ask.get("program") is None, None
        self.master, slave = os.openpty()
        self.tty = os.ttyname(slave)
        self.columns, self.rows = ask["columns"], ask["rows"]
        resize(self.master, self.columns, self.rows)
        self.script = Script(self.loop, ask, self.ran) if ask.get("script") else None
        self.slave = None
        try:
            if self.script:
                self.quiet(slave)
                self.slave = os.open(self.tty, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            self.begin(slave)
        except BaseException:
            for fd in {self.master, self.slave} - {None}:
                os.close(fd)
            raise
        finally:
            os.close(slave)
        self.sink = Sink(self.loop, self.master, lambda count: None, lambda sink: None)
        self.flow()

    def quiet(self, slave):
        flags = termios.tcgetattr(slave)
        flags[3] &= ~termios.ECHO
        flags[3] |= termios.ECHONL
        self.echoes = flags[3] & ECHOES
        termios.tcsetattr(slave, termios.TCSANOW, flags)

    def begin(self, slave):
        if self.script:
            self.pid = self.script.start(self.ask, slave)
        else:
            argv = self.ask.get("program") or [self.ask["shell"], "-i"]
            self.pid = spawn(dict(self.ask, argv=argv), [slave, slave, slave], slave)
        self.inside.reach.add(self.pid, self.exited)

    @property
    def end(self):
        return self.start + len(self.ring)

    def info(self):
        try:
            with open("/proc/%d/comm" % os.tcgetpgrp(self.master)) as file:
                program = file.read().strip()
        except (OSError, ValueError):
            program = ""
        plain = {"id": self.id, "columns": self.columns, "rows": self.rows, "startedAt": int(self.started * 1000), "printed": self.end}
        waiting = waits(self)
        return dict(plain, script=bool(self.script), program=program, **({"waiting": waiting} if waiting else {}))

    def flow(self):
        """Reads on unless a reader is far behind."""
        free = not self.over and all(self.end - reader.at < LAG for reader in self.readers)
        self.loop.watch(self.master, read=self.ready if free else None)

    def ready(self):
        try:
            piece = os.read(self.master, PIECE)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        if not piece:
            return self.loop.watch(self.master, read=None)
        self.took(piece)

    def took(self, piece):
        self.marked(piece) if self.mark else self.passed(piece)

    def passed(self, piece):
        if not piece:
            return
        for change in SCREEN.findall(piece):
            self.other_screen = change == b"h"
        self.append(piece)
        for reader in list(self.readers):
            reader.update()
        self.soon()

    def append(self, piece):
        self.ring += piece
        if len(self.ring) > KEEP + PIECE:
            drop = len(self.ring) - KEEP
            del self.ring[:drop]
            self.start += drop
            self.events = [event for event in self.events if event[0] >= self.start]
        if b"\n" in piece:
            self.answered, self.waiting = True, None
        self.active = time.monotonic()

    def emit(self, message):
        self.events.append((self.end, message))
        del self.events[:-100]
        for reader in list(self.readers):
            reader.events.append((self.end, message))
            reader.update()

    def soon(self):
        """Looks whether it waits: shortly after it was active, then ever more seldom while somebody follows a program that runs."""
        self.pause = 0.03
        if self.looking is None:
            self.looking = self.loop.later(self.pause, self.look)

    def look(self):
        self.looking = None
        if self.over:
            return
        idle = time.monotonic() - self.active
        if idle < 0.025:
            self.looking = self.loop.later(0.03, self.look)
            return
        waiting = waits(self)
        # On a busy machine, what it printed before may still be on its way to here, and what was typed on its way to it.
        if waiting and (self.unread() or idle < 0.3 and (not waiting["prompt"].strip() or self.typed == self.end)):
            self.looking = self.loop.later(0.05, self.look)
            return
        if waiting is None:
            self.waiting, self.answered = None, True
        elif self.answered:
            self.waiting, self.answered = waiting, False
            self.emit({"waiting": waiting})
        calm = waiting is not None or not self.readers or not self.runs()
        if not calm:
            self.pause = min(self.pause * 1.6, 1.0)
            self.looking = self.loop.later(self.pause, self.look)

    def unread(self):
        """It has printed more than what was read here."""
        poll = select.poll()
        poll.register(self.master, select.POLLIN)
        return any(event & select.POLLIN for _, event in poll.poll(0))

    def runs(self):
        """Something else than the shell at its prompt is in the foreground."""
        if self.script:
            return self.script.busy
        try:
            return not self.is_shell or os.tcgetpgrp(self.master) != self.pid
        except OSError:
            return False

    def type(self, piece, channel):
        if self.over:
            return channel.grant(len(piece))
        if any(byte in piece for byte in b"\r\n\x03\x04"):
            self.answered, self.waiting, self.typed = True, None, self.end
        self.sink.grant = channel.grant
        self.sink.put(piece)
        self.active = time.monotonic()
        self.soon()

    def run(self, command):
        if not self.script:
            raise Problem("invalid", "This terminal takes no commands: it is not a script terminal")
        if self.script.busy or self.mark:
            raise Problem("conflict", "A command still runs in this terminal")
        self.answered, self.waiting, self.active = True, None, time.monotonic()
        self.script.run(command)
        self.soon()

    def ran(self, code):
        """What the command printed may still be on its way through the terminal: a mark is sent after it, and taken out where it comes."""
        mark = b"\x1b]steward;" + os.urandom(12).hex().encode() + b"\x07"
        self.mark = (mark, code)
        try:
            if os.write(self.slave, mark) != len(mark):
                raise BlockingIOError
            self.loop.later(1, lambda: self.unmarked(mark))
        except OSError:
            self.loop.later(0.1, lambda: self.unmarked(mark))

    def marked(self, piece):
        """Passes on what comes before the mark, and holds back what may be its beginning."""
        mark, code = self.mark
        piece, self.held = self.held + piece, b""
        at = piece.find(mark)
        if at < 0:
            most = min(len(piece), len(mark) - 1)
            kept = next((count for count in range(most, 0, -1) if piece.endswith(mark[:count])), 0)
            piece, self.held = piece[: len(piece) - kept], piece[len(piece) - kept :]
            return self.passed(piece)
        self.mark = None
        self.passed(piece[:at])
        self.emit({"ran": code})
        self.passed(piece[at + len(mark) :])

    def unmarked(self, mark):
        if not self.mark or self.mark[0] != mark:
            return
        if any(self.end - reader.at >= LAG for reader in self.readers):
            self.loop.later(1, lambda: self.unmarked(mark))
            return
        code, held, self.mark, self.held = self.mark[1], self.held, None, b""
        self.passed(held)
        self.emit({"ran": code})

    def exited(self, code):
        self.inside.reach.end(None, lambda: self.ended(code), 0.1) if self.inside.reach.strays() else self.ended(code)

    def ended(self, code):
        if self.script:
            busy = self.script.busy
            self.script.stop()
            if not self.closers and not self.inside.stopping:
                self.script = Script(self.loop, self.ask, self.ran)
                try:
                    self.quiet(self.slave)
                    self.begin(self.slave)
                    return self.ran(code) if busy else None
                except OSError:
                    pass
        self.drain(code)

    def drain(self, code):
        """Reads what is left, then it is over."""
        os.set_blocking(self.master, False)
        if any(self.end - reader.at >= LAG for reader in self.readers):
            self.loop.later(0.05, lambda: self.drain(code))
            return
        try:
            piece = os.read(self.master, PIECE)
        except OSError:
            piece = b""
        if piece:
            self.took(piece)
            return self.drain(code)
        self.over = True
        self.inside.terminals.pop(self.id, None)
        self.loop.forget(self.master)
        for fd in {self.master, self.slave} - {None}:
            os.close(fd)
        self.sink.done = True
        self.emit({"exit": code})
        for reader in list(self.readers):
            reader.update()
        for done in self.closers:
            done()
        self.inside.rest()

    def signal(self, name):
        try:
            os.killpg(os.tcgetpgrp(self.master), SIGNALS[name])
        except OSError:
            pass
        self.soon()

    def close(self, done):
        self.closers.append(done)
        if len(self.closers) == 1:
            self.inside.reach.end(self.pid, lambda: None, 0.2)
