import { clearTimeout, setTimeout } from "../../util/real_timers.ts";

/** After how many milliseconds without an answer another one is asked as well. */
const NEXT_AFTER = 150;

/**
 * Asks one after the other until somebody knows: the next at once where one does not, and as well where one takes long.
 *
 * @param nodes Those who may be asked.
 * @param ask Asks one; gives nothing where that one does not know, and never rejects.
 * @param isClosed Whether nobody is asked any more.
 * @returns What the first knew.
 */
export async function askOneAfterTheOther<Node, Answer>(
  nodes: readonly Node[],
  ask: (node: Node) => Promise<Answer | undefined>,
  isClosed: () => boolean,
): Promise<Answer | undefined> {
  const { promise, resolve } = Promise.withResolvers<Answer | undefined>();
  let [next, out] = [0, 0];
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isOver = false;
  const goOn = () => {
    clearTimeout(timer);
    if (!isOver && !isClosed() && next < nodes.length) {
      out++;
      timer = setTimeout(goOn, NEXT_AFTER);
      ask(nodes[next++]!).then((answer) => {
        out--;
        if (answer !== undefined) resolve(answer);
        else goOn();
      });
    } else if (out === 0 || isClosed()) resolve(undefined);
  };
  goOn();
  const found = await promise;
  isOver = true;
  clearTimeout(timer);
  return found;
}
