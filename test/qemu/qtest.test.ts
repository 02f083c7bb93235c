/** Batches: what is queued goes out in one exchange when a value is needed, in the order in which it was asked for. */
import test from 'ava';
import { Qtest } from '../../src/qemu/qtest.js';
import { RAM_BASE, realStart, running, SMMU, withQemu } from './rig.js';

/** Answers reads with how many commands came before; keeps what was sent. */
class Recorder {
  readonly sent: string[] = [];
  #count = 0;

  exchange(text: string, replies: number): readonly string[] {
    this.sent.push(text);
    const lines = text.split('\n').slice(0, -1);
    if (lines.length !== replies) throw new Error(`${replies} replies to ${lines.length} lines`);
    return lines.map((l) => {
      this.#count += 1;
      return l.startsWith('read') ? `OK 0x${(this.#count - 1).toString(16).padStart(16, '0')}` : 'OK';
    });
  }
}

test('one exchange for everything that was queued', (t) => {
  const r = new Recorder();
  const q = new Qtest(r);
  q.write(1, 0x10, 1);
  q.write(2, 0x20, 2);
  q.write(4, 0x30, 3);
  q.write(8, 0x4010000000, 2 ** 52 + 1);
  const [a, b, c] = [q.read(1, 0x10), q.read(2, 0x20), q.read(4, 0x30)];
  q.line('clock_step 100');
  t.deepEqual(r.sent, []);
  t.deepEqual([q.value(c), q.value(a), q.value(b)], [6, 4, 5]);
  t.deepEqual(r.sent, ['writeb 0x10 0x1\nwritew 0x20 0x2\nwritel 0x30 0x3\nwriteq 0x4010000000 0x10000000000001\nreadb 0x10\nreadw 0x20\nreadl 0x30\nclock_step 100\n']);
});

test('a ticket is good until the next flush', (t) => {
  const r = new Recorder();
  const q = new Qtest(r);
  const a = q.read(4, 0);
  t.is(q.value(a), 0);
  const b = q.read(4, 4);
  t.is(q.value(a), 0);
  t.is(r.sent.length, 1);
  t.is(q.value(b), 1);
  t.throws(() => q.value(a), { instanceOf: RangeError });
  t.throws(() => q.value(b + 1), { instanceOf: RangeError });
});

test('nothing queued, nothing sent', (t) => {
  const r = new Recorder();
  const q = new Qtest(r);
  q.flush();
  q.write(4, 0, 1);
  q.flush();
  q.flush();
  t.is(r.sent.length, 1);
});

test('a reply without a value is not one', (t) => {
  const q = new Qtest({ exchange: () => ['OK'] });
  t.throws(() => q.value(q.read(4, 0)), { message: 'not a value: OK' });
});

test('after a failure the next batch starts afresh', (t) => {
  const r = new Recorder();
  let fails = true;
  const q = new Qtest({
    exchange: (text, replies) => {
      if (!fails) return r.exchange(text, replies);
      fails = false;
      throw new Error('refused');
    },
  });
  q.line('nonsense');
  t.throws(() => { q.flush(); }, { message: 'refused' });
  t.is(q.value(q.read(4, 0)), 0);
  t.deepEqual(r.sent, ['readl 0x0\n']);
});

withQemu('with a real one', (t, binary) => {
  running(realStart(binary), (p) => {
    const q = new Qtest(p);
    const at = RAM_BASE + 0x400000;
    q.write(8, at, 2 ** 52 + 0x1234);
    q.write(1, at + 7, 0xab);
    const tickets = [q.read(4, at), q.read(4, at + 4), q.read(2, at + 6), q.read(1, at + 7), q.read(4, SMMU)];
    t.deepEqual(tickets.slice(0, 4).map((one) => q.value(one)), [0x1234, 0xab100000, 0xab10, 0xab]);
    t.is(Math.floor(q.value(tickets[4] as number) / 2 ** 20), 0x0d4);
  });
});
