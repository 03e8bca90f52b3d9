import subprocess
import sys

ANOTHER_THREAD = """
import signal, sys, threading, time
from scp.signals import Termination

main = threading.get_ident()

def signal_to_myself():
    while sys._current_frames()[main].f_code is not Termination.wait.__code__:
        time.sleep(0.01)
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

termination = Termination()
threading.Thread(target=signal_to_myself).start()
assert termination.wait()
assert termination.wait(0)
"""

ANY_INSTRUCTION = """
import os, signal, sys
from scp.signals import Termination

def run(stop_at):
    '''Waits 3 ms three times; a signal comes before the instruction of that number. Returns what the waits said.'''
    count = 0
    def trace(frame, event, _argument):
        nonlocal count
        frame.f_trace_opcodes = True
        if event == "opcode":
            count += 1
            if count == stop_at:
                os.kill(os.getpid(), signal.SIGTERM)
        return trace
    termination = Termination()
    sys.settrace(trace)
    said = [termination.wait(0.003) for _ in range(3)]
    sys.settrace(None)
    return count, said[-1] or termination.wait(0)

instructions, told = run(0)
assert instructions > 50 and not told, (instructions, told)
for number in range(1, instructions + 1):
    assert run(number)[1], number
assert not Termination().wait(0)
"""


def test_a_signal_that_another_thread_gets_is_heard():
    done = subprocess.run([sys.executable, "-c", ANOTHER_THREAD], capture_output=True, timeout=60, check=False)

    assert (done.returncode, done.stderr) == (0, b"")


def test_a_signal_at_any_instruction_of_the_wait_is_heard():
    done = subprocess.run([sys.executable, "-c", ANY_INSTRUCTION], capture_output=True, timeout=120, check=False)

    assert (done.returncode, done.stderr) == (0, b"")
