export async function GET({ locals }) {
  return new Response((await locals.session.get())?.userId ?? "nobody");
}
