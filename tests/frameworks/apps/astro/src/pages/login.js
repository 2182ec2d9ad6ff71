export async function POST({ locals }) {
  return new Response((await locals.session.regenerate({ userId: "ada" })).userId);
}
