import { abortable, endsWithin } from "../util/abort.ts";
import { assertOptions } from "../util/option_names.ts";
import type { SessionCookie } from "./cookie.ts";
import { mayLackCookie } from "./cross_site.ts";
import { encodeFields, withoutUndefined } from "./fields.ts";
import { GET } from "./option_names.ts";
import type { Change } from "./optimistic_updates.ts";
import type {
  CreateSessionOptions,
  GetSessionOptions,
  RegenerateSessionOptions,
  SessionOperationOptions,
  UpdateSessionOptions,
} from "./options.ts";
import type { Session } from "./session.ts";
import type { FoundSession, RequestMeans } from "./session_access.ts";
import type { CookieChange, SessionAnswer } from "./session_answer.ts";

/** What is known of the session of a request, and what was done with it. */
export class RequestState<Data extends object> {
  readonly #cookie: SessionCookie;
  readonly #request: Request;
  readonly #means: RequestMeans<Data>;
  /** The tokens that came and were not ended here: of several, the first that is of a session counts. */
  #ids: readonly string[];
  readonly #answer: SessionAnswer;
  #reading: Promise<Session<Data> | undefined> | undefined;
  /** Whether it was read without rolling its expiry. */
  #peeked = false;
  #current: Session<Data> | undefined;
  /** The tokens that came and are of the session that was read. */
  #same: ReadonlySet<string> = new Set();
  /** Why there is none, as far as that is known. */
  #missing: FoundSession<Data>["missing"];
  /** Whether it was begun, changed or ended here. */
  #changed = false;

  constructor(cookie: SessionCookie, request: Request, means: RequestMeans<Data>, answer: SessionAnswer) {
    this.#cookie = cookie;
    this.#request = request;
    this.#means = means;
    this.#ids = cookie.readAll(request);
    this.#answer = answer;
  }

  /** The session, as far as it was read, begun or changed. */
  get current(): Session<Data> | undefined {
    return this.#current;
  }

  /** Resolves to whether it was read within so many milliseconds, if it is being read at all. */
  async hasReadWithin(milliseconds: number): Promise<boolean> {
    return !this.#reading || await endsWithin(this.#reading, milliseconds);
  }

  /** Reads it when it is first asked for. */
  async get(options: GetSessionOptions = {}): Promise<Session<Data> | undefined> {
    assertOptions(options, GET, "get session");
    this.#answer.note("asked");
    const { roll = this.#means.roll ?? true } = options;
    if (!this.#reading || roll && this.#peeked && !this.#changed) {
      this.#peeked = !roll;
      this.#reading = tolerated(this.#load(roll));
    }
    return await abortable(this.#reading, options.signal);
  }

  /** Begins one, in the place of the one that there was. */
  async create(
    userId: string | null,
    data: Data,
    options: CreateSessionOptions,
    since: number = performance.now(),
  ): Promise<Session<Data>> {
    if (this.#cookie.isShared || this.#ids.length > 1) await this.get({ roll: false });
    const replaced = this.#current?.id ?? this.#answer.mine(this.#ids)[0];
    // What cannot be read here may be of use to another version of the service.
    const left = this.#missing === "unreadable";
    const session = await this.#means.access.create(
      userId,
      data,
      this.#withPlace(options),
      left ? undefined : replaced,
      since,
    );
    const ids = left ? [] : this.#ids;
    this.#ids = [];
    this.#become(session, mayLackCookie(this.#request, this.#cookie) && userId === null ? undefined : "write");
    await this.#endOthers(ids, replaced, options);
    return session;
  }

  /** Changes it, or begins one of a visitor. */
  async update(change: Change<Data>, options: UpdateSessionOptions): Promise<Session<Data> | undefined> {
    const ids = await this.#idsOfCurrent();
    for (const id of ids) {
      const found = await this.#means.access.update(id, change, options);
      if (!found.session && id !== ids.at(-1)) continue;
      this.#changedTo(found);
      return found.session;
    }
    if (this.#missing === "ended" || this.#missing === "unreadable") return undefined;
    if (mayLackCookie(this.#request, this.#cookie)) return undefined;
    const patch = typeof change === "function" ? await change({} as Data) : change;
    if (encodeFields(patch, "update session").size === 0) return undefined;
    if (this.#current) return await this.update(patch, options); // the function began one
    const { signal, tags, durability } = options;
    return await this.create(null, withoutUndefined(patch) as Data, { signal, tags, durability });
  }

  /** Takes a field out of its data. */
  async pop<Field extends keyof Data & string>(
    field: Field,
    options: SessionOperationOptions,
  ): Promise<Data[Field] | undefined> {
    const ids = await this.#idsOfCurrent();
    for (const id of ids) {
      const found = await this.#means.access.pop(id, field, options);
      if (!found.session && id !== ids.at(-1)) continue;
      this.#changedTo(found);
      return found.value as Data[Field] | undefined;
    }
    return undefined;
  }

  /** Gives it a new id. */
  async regenerate(options: RegenerateSessionOptions<Data>): Promise<Session<Data> | undefined> {
    const since = performance.now();
    const { userId, data = {}, ...begun } = options;
    const renewal = userId === undefined ? options : this.#withPlace(options);
    let ids = await this.#idsOfCurrent();
    // A login that was sent twice finds what came of the first.
    if (userId !== undefined && this.#missing === "ended") ids = this.#ids;
    for (const id of ids) {
      const { session } = await this.#means.access.regenerate(id, renewal);
      if (!session && (userId !== undefined || id !== ids.at(-1))) continue;
      this.#become(session, session && (userId === undefined ? "renew" : "write"), session ? undefined : "ended");
      if (userId !== undefined) await this.#endOthers(this.#ids, id, options);
      return session;
    }
    if (userId === undefined) return undefined;
    return await this.create(userId, withoutUndefined(data) as Data, begun, since);
  }

  /** Ends it, and all that came along. */
  async destroy(options: SessionOperationOptions): Promise<boolean> {
    const ids = new Set([...this.#current ? [this.#current.id] : [], ...this.#ids]);
    const ended = await Promise.all([...ids].map(async (id) => {
      const was = await this.#means.access.destroy(id, options);
      if (was) this.#answer.own.add(id);
      return was;
    }));
    this.#ids = [];
    const destroyed = ended.includes(true);
    // Another request may have ended or replaced it, and given the browser another cookie.
    this.#become(undefined, destroyed ? "clear" : undefined);
    return destroyed;
  }

  /** Sends no cookie that another request has made obsolete meanwhile. */
  async confirmCookie(): Promise<void> {
    const { change } = this.#answer;
    if (change !== "roll" && change !== "renew" || !this.#current) return;
    // Meanwhile another request may have renewed or ended it: then the cookie of that one must stay.
    const { session, renewed, missing } = await this.#means.access.read(this.#current.id, { roll: false }).catch(
      (): FoundSession<Data> => ({ missing: "outage" }),
    );
    const unsure = change === "renew" && (missing === "outage" || missing === "unreadable"); // nobody else has that id
    if (!unsure && (!session || renewed)) this.#answer.change = undefined;
  }

  async #load(roll: boolean): Promise<Session<Data> | undefined> {
    const found = await Promise.all(this.#ids.map(async (id) => {
      const one = await this.#means.access.read(id, { roll });
      if (one.session || one.missing === "ended") this.#answer.own.add(id);
      return one;
    }));
    const { session, renewed } = found.find(({ session }) => session) ?? {};
    // An earlier id of the same session is no other.
    this.#same = new Set(this.#ids.filter((_, i) => session && found[i]!.session?.handle === session.handle));
    if (session) this.#answer.note("known");
    if (this.#changed) return session; // meanwhile: what is known since then is what counts
    this.#current = session;
    const [missing] = (["outage", "unreadable", "ended", "unknown"] as const)
      .filter((missing) => found.some((one) => one.missing === missing));
    this.#missing = session ? undefined : missing;
    if (missing === "outage" || missing === "unreadable") this.#answer.note("known");
    // What is dead need not come again, but its cookie stays: the browser may have another by now.
    if (session?.touched && !renewed) this.#answer.change = "roll";
    return session;
  }

  /**
   * The id of the session that a change is of. Where an outage hid it, there may be one: none is begun in its place.
   */
  async #idsOfCurrent(): Promise<readonly string[]> {
    const session = await this.get();
    if (session) return [session.id];
    return this.#missing === "outage" ? this.#ids : [];
  }

  /** Ends what came along beside the session of a login, so that none of it is what is left afterwards. */
  async #endOthers(
    ids: readonly string[],
    id: string | undefined,
    { signal }: SessionOperationOptions,
  ): Promise<void> {
    const others = this.#answer.mine(ids).filter((one) => one !== id && !this.#same.has(one));
    await Promise.all(others.map((one) => this.#means.access.destroy(one, { signal })));
  }

  /** What is known of where a session is begun. */
  #withPlace<Options extends CreateSessionOptions>(options: Options): Options {
    const { address } = this.#means;
    return { request: this.#request, ...(address !== undefined && { address }), ...options };
  }

  /** One that was there and is not found any more was ended by somebody else: none is begun in its place. */
  #changedTo({ session, renewed }: FoundSession<Data>): void {
    this.#become(session, session?.touched && !renewed ? "roll" : undefined, session ? undefined : "ended");
  }

  #become(
    session: Session<Data> | undefined,
    cookie: CookieChange | undefined,
    missing?: FoundSession["missing"],
  ): void {
    this.#changed = true;
    this.#current = session;
    this.#missing = missing;
    this.#reading = Promise.resolve(session);
    this.#answer.become(session, cookie);
  }
}

/** The same; who does not await it does not end the process when it fails. */
export function tolerated<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
